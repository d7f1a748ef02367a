import { interval, merge, Subscription } from 'rxjs';
import type { Backend, BackendPool } from '../backends/index.js';
import { ComfyError } from '../comfy.error.js';
import { toFailure } from './failure.js';
import type { Job } from './job.js';
import type { InputPreparer } from './input-preparer.js';
import type { JobQueue } from './job-queue.port.js';
import type { JobRunner } from './job-runner.js';
import { type Candidate, choose } from './matching.js';
import type { Retry } from './retry-policy.js';

/** Jobs at the head of the line among which the choice is made. */
const LOOKAHEAD = 64;

/** Jobs that may be on their way into storage. Where it is slower than the backends, these wait: what is rendered must not pile up. */
const MAX_STORING = 64;

/** Milliseconds between looks for what no event tells: that a job need not keep away from a backend any more, or wait for it. */
const LOOK_EVERY_MS = 250;

/** Milliseconds that jobs of before a restart wait while no backend is there: it may have restarted as well, with models to load. */
const RESTORED_PATIENCE_MS = 3_600_000;

/** What has happened to a job in the line. */
interface Standing {
  /** By backend, until when another one is the better choice; ms of `performance.now()`. */
  avoided: Map<string, number>;
  passed: number;
  heldSince: number | undefined;
}

interface Waiting extends Candidate {
  job: Job;
}

/** Gives waiting jobs to free backends: nothing is handed out before somebody can start on it. */
export class Dispatcher {
  private readonly subscription = new Subscription();
  private readonly standings = new WeakMap<Job, Standing>();
  private handing = false;

  constructor(
    private readonly queue: JobQueue,
    private readonly pool: BackendPool,
    private readonly runner: JobRunner,
    private readonly preparer: Pick<InputPreparer, 'prepare'>,
    /** Milliseconds that jobs wait while no backend is there; a ComfyUI that restarts is back in a few seconds. */
    private readonly noBackendAfterMs: number,
  ) {}

  start(): void {
    const occasions$ = merge(this.queue.arrivals$, this.pool.changed$);
    this.subscription.add(occasions$.subscribe(() => this.handOut()));
    this.subscription.add(
      interval(LOOK_EVERY_MS).subscribe(() => {
        this.giveUp();
        this.handOut();
      }),
    );
  }

  stop(): void {
    this.subscription.unsubscribe();
  }

  /** Has no backend been there for so long that waiting makes no sense? */
  get hopeless(): boolean {
    return this.pool.downMs >= this.noBackendAfterMs;
  }

  private handOut(): void {
    // What is handed out changes its backend, and that asks for the next one: this loop sees to it.
    if (this.handing) return;
    this.handing = true;
    try {
      while (!this.subscription.closed && this.handOutOne());
    } finally {
      this.handing = false;
    }
  }

  /** @returns whether it makes sense to go on */
  private handOutOne(): boolean {
    if (this.runner.storing >= MAX_STORING || this.queue.waiting === 0) return false;
    const seats = this.pool.backends;
    if (!seats.some(({ freeSlots }) => freeSlots > 0)) return false;
    const waiting = this.queue.first(LOOKAHEAD).map((job) => this.candidate(job));
    const { match, passed, held } = choose(waiting, seats);
    for (const { job } of held) this.standingOf(job).heldSince ??= performance.now();
    if (passed !== undefined) this.standingOf(passed.job).passed += 1;
    if (match === undefined) return false;
    const { job } = match.candidate;
    if (this.queue.take(job)) void this.work(job, match.seat, this.runner.run(job, match.seat));
    return true;
  }

  /**
   * Takes in a job of an earlier process. What that had given to a backend is looked for there; it is not given away a second
   * time as long as it may be about. But pictures that were to come over the socket went to that process, and are lost: such a
   * job is run again at once, and its prompt is stopped when the backend is examined.
   */
  restore(job: Job): void {
    const { backend: name = '', promptId, outputsVia } = job.state;
    const backend = this.pool.find(name);
    const adopt = backend !== undefined && promptId !== undefined && outputsVia !== 'socket';
    if (job.state.status !== 'queued' && !adopt) job.apply({ type: 'requeued' });
    // What runs on a backend has its files there; should it come back into the line, they are brought then.
    if (!adopt) this.preparer.prepare(job);
    this.queue.add(job);
    if (adopt && this.queue.take(job)) {
      void this.work(job, backend, this.runner.adopt(job, backend, promptId));
    }
  }

  private async work(job: Job, backend: Backend, work: Promise<Retry | undefined>): Promise<void> {
    const verdict = await work;
    if (verdict === undefined) return this.handOut();
    const standing = this.standingOf(job);
    standing.avoided.set(backend.name, performance.now() + verdict.avoidMs);
    this.preparer.prepare(job);
    this.queue.putBack(job);
  }

  private giveUp(): void {
    if (!this.hopeless) return;
    const { downMs } = this.pool;
    // Ending takes them out of the line, which is a copy here.
    for (const job of this.queue.first(Infinity)) {
      if (job.restored && downMs < RESTORED_PATIENCE_MS) continue;
      job.apply({ type: 'failed', at: Date.now(), failure: toFailure(noBackend(this.pool.troubles)) });
    }
  }

  private candidate(job: Job): Waiting {
    const standing = this.standings.get(job);
    const now = performance.now();
    const tried = new Set(job.state.attempts.map(({ backend }) => backend));
    const others = this.pool.backends.some(({ usable, name }) => usable && !tried.has(name));
    return {
      job,
      passed: standing?.passed ?? 0,
      heldMs: standing?.heldSince === undefined ? undefined : now - standing.heldSince,
      avoids: (backend) => (others && tried.has(backend)) || (standing?.avoided.get(backend) ?? 0) > now,
    };
  }

  private standingOf(job: Job): Standing {
    const standing = this.standings.get(job) ?? { avoided: new Map(), passed: 0, heldSince: undefined };
    this.standings.set(job, standing);
    return standing;
  }
}

/** @param why in a few words each, for callers */
export function noBackend(why: readonly string[]): ComfyError {
  const because = why.length === 0 ? '' : ` (${why.slice(0, 3).join('; ')})`;
  return new ComfyError('no_backend', `No ComfyUI can be reached at the moment${because}. Try again later.`);
}
