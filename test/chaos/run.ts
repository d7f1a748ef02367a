import { readdir } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { Arena, GENERATE_TIMEOUT_S } from './arena.js';
import { Director } from './faults/director.js';
import { schedule, warmUpOf } from './faults/schedule.js';
import { Caller } from './jobs/caller.js';
import { Judge, type Verdict } from './jobs/judge.js';
import { type JobPlan, planJob } from './jobs/plan.js';
import type { ChaosOptions } from './options.js';
import { type Holdings, holdingsOf } from './processes/proc.js';
import { type LastOrders, lastOrders } from './verdict/last-orders.js';
import { comeToRest, type Rest, temporaryFiles } from './verdict/leaks.js';
import { countRenders, type Renders } from './verdict/renders.js';
import { Tally } from './verdict/tally.js';

/** Milliseconds until a call counts as hung: what the service allows itself, and half a minute. */
const CALL_LIMIT_MS = (GENERATE_TIMEOUT_S + 30) * 1_000;

/** Milliseconds between progress lines. */
const PROGRESS_EVERY_MS = 3_000;

/** Longest run, in milliseconds: ten minutes, and half a second for each job. */
const runLimitMs = (jobs: number) => 600_000 + jobs * 500;

export interface RunResult {
  tally: Tally;
  renders: Renders;
  faults: { begun: number; dropped: number };
  lives: number;
  seconds: number;
  baseline: Holdings | undefined;
  rest: Rest;
  last: LastOrders;
  /** In the output folder: files by the end, and half-written ones of killed lives. */
  files: { kept: number; orphans: number };
  /** What is wrong besides the calls themselves. */
  complaints: string[];
}

/** One run from its warm-up to the end of the service. @param stop ends it early, with its reason */
export async function run(
  arena: Arena,
  options: ChaosOptions,
  stop: AbortSignal,
  say: (line: string) => void,
): Promise<RunResult> {
  const started = Date.now();
  const end = new AbortController();
  const limit = setTimeout(() => end.abort(new Error('the run took too long')), runLimitMs(options.jobs));
  const anyEnd = AbortSignal.any([stop, end.signal]);
  const director = new Director(
    arena,
    schedule(options.seed, { ...options, backends: arena.backends.length }),
    {
      seed: options.seed,
      quick: options.quick,
      onBroken: (error) => end.abort(error),
    },
  );
  const calls = new Calls(arena, options, director, anyEnd);
  const progress = setInterval(() => say(calls.progress), PROGRESS_EVERY_MS);
  try {
    await calls.make();
    say(calls.progress);
    await director.stop();
    anyEnd.throwIfAborted();
    await arena.heal();
    say('  everything is healed; waiting for it to come to rest');
    const rest = await comeToRest(arena, calls.baseline);
    const { orphans } = await temporaryFiles(arena.outputFolder, arena.service.pid);
    const last = await lastOrders(arena, options.seed, CALL_LIMIT_MS);
    const executed = arena.backends.flatMap(({ standin }) => standin.executed);
    const renders = countRenders(executed, calls.tally.right);
    for (const title of renders.unseen)
      arena.log.write(`${title} was rendered by nobody, as far as was seen`);
    for (const [title, count] of renders.repeated) arena.log.write(`${title} was rendered ${count} times`);
    return {
      tally: calls.tally,
      renders,
      faults: { begun: director.count, dropped: calls.dropped },
      lives: arena.service.lives,
      seconds: (Date.now() - started) / 1_000,
      baseline: calls.baseline,
      rest,
      last,
      files: { kept: await countFiles(arena.outputFolder), orphans },
      complaints: [
        ...rest.complaints,
        ...last.complaints,
        ...arena.service.deaths.map(({ code, signal }) => `the service ended by itself: ${code ?? signal}`),
      ],
    };
  } finally {
    clearInterval(progress);
    clearTimeout(limit);
    await director.stop();
    await calls.close();
  }
}

/** Many callers, each with one call after the other. */
class Calls {
  readonly tally = new Tally();
  /** The service after the warm-up. */
  baseline: Holdings | undefined;
  /** Faults that found no free target in time. */
  dropped = 0;
  private readonly caller: Caller;
  private readonly judge: Judge;
  private begun = 0;

  constructor(
    private readonly arena: Arena,
    private readonly options: ChaosOptions,
    private readonly director: Director,
    private readonly end: AbortSignal,
  ) {
    const { service } = arena;
    this.caller = new Caller(service.url, options.callers);
    this.judge = new Judge(this.caller, {
      wasAway: (from, to) => service.wasAway(from, to),
      secrets: [arena.folder, '127.0.0.1:', '/srv/ComfyUI'],
    });
  }

  get progress(): string {
    const { sent, right, failed } = this.tally;
    const trouble = this.director.trouble;
    return `  ${sent}/${this.options.jobs} answered, ${right.size} right, ${failed} failed${
      trouble.length > 0 ? `; now: ${trouble.join(', ')}` : ''
    }`;
  }

  async make(): Promise<void> {
    const { jobs } = this.options;
    await this.makeUntil(warmUpOf(jobs));
    this.baseline = await holdingsOf(this.arena.service.pid, this.arena.port);
    await this.makeUntil(jobs);
    await this.close();
  }

  async close(): Promise<void> {
    await this.caller.close();
  }

  private async makeUntil(count: number): Promise<void> {
    const { service } = this.arena;
    const oneAfterTheOther = async () => {
      while (this.begun < count && !this.end.aborted) {
        if (service.deaths.length > 0) throw new Error('the service ended by itself');
        this.begun += 1;
        const plan = planJob(this.options.seed, this.begun);
        this.director.advance(this.begun);
        if (this.begun === this.options.jobs) this.dropped = this.director.lastCall();
        const verdict = await this.one(plan);
        this.tally.add(plan, verdict);
        if (verdict.is !== 'right' && verdict.is !== 'asked for')
          this.arena.log.write(`job ${plan.number} (${plan.kind}): ${describe(verdict)}`);
        // Nobody calls again while there is nobody to call.
        while (service.away && !this.end.aborted) await sleep(50);
      }
    };
    await this.orEnd(Promise.all(Array.from({ length: this.options.callers }, oneAfterTheOther)));
  }

  private async one(plan: JobPlan): Promise<Verdict> {
    const from = Date.now();
    const { durable } = this.options;
    if (!durable || plan.hangUpAfterMs !== undefined) {
      return this.judge.judge(plan, await this.caller.call(plan, CALL_LIMIT_MS), from);
    }
    for (;;) {
      const answer = await this.caller.call(plan, CALL_LIMIT_MS, `chaos-${plan.number}`);
      if (answer.is !== 'broken') return this.judge.judge(plan, answer, from);
      // No kill explains it: it can be tried again.
      if (Date.now() > from + CALL_LIMIT_MS || this.end.aborted) return { is: 'wrong', why: answer.why };
      await sleep(100);
    }
  }

  /** Does not wait for calls that are under way when it ends early. */
  private async orEnd(work: Promise<unknown>): Promise<void> {
    const { end } = this;
    end.throwIfAborted();
    let abort: () => void = () => undefined;
    const aborted = new Promise<never>((_, reject) => {
      abort = () => reject(end.reason instanceof Error ? end.reason : new Error('ended'));
      end.addEventListener('abort', abort);
    });
    try {
      await Promise.race([work, aborted]);
    } finally {
      end.removeEventListener('abort', abort);
    }
  }
}

function describe(verdict: Verdict): string {
  switch (verdict.is) {
    case 'unlucky':
      return `${verdict.code}: ${verdict.detail}`;
    case 'wrong':
    case 'hung':
      return `${verdict.is.toUpperCase()}: ${verdict.why}`;
    case 'right':
    case 'asked for':
    case 'hung up':
    case 'killed':
      return verdict.is;
  }
}

async function countFiles(folder: string): Promise<number> {
  return (await readdir(folder)).filter((name) => !name.startsWith('.')).length;
}
