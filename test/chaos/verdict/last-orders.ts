import { setTimeout as sleep } from 'node:timers/promises';
import type { Arena } from '../arena.js';
import { Caller } from '../jobs/caller.js';
import { Judge } from '../jobs/judge.js';
import { type JobPlan, planJob } from '../jobs/plan.js';
import { temporaryFiles } from './leaks.js';

/** Calls under way when the service is told to stop. */
const CALLS = 6;

/** Milliseconds between the calls and SIGTERM: some run, some wait. */
const HEAD_START_MS = 250;

/** Milliseconds until ComfyUI has heard that nobody waits any more. */
const QUIET_LIMIT_MS = 10_000;

/** How the service ended on SIGTERM, with callers in it. */
export interface LastOrders {
  /** Milliseconds that it took. */
  ms: number;
  /** What the callers got. */
  answers: string;
  complaints: string[];
}

/** SIGTERM in the middle of things: every caller gets an answer, nothing of theirs goes on, and it ends with 0. */
export async function lastOrders(arena: Arena, seed: number, limitMs: number): Promise<LastOrders> {
  const complaints: string[] = [];
  const { service } = arena;
  const caller = new Caller(service.url, CALLS);
  const { pid } = service;
  const judge = new Judge(caller, {
    wasAway: () => false,
    secrets: [arena.folder],
    pardoned: ['shutting_down'],
  });
  const calls = slowJobs(seed).map(async (plan) => {
    const from = Date.now();
    return judge.judge(plan, await caller.call(plan, limitMs), from);
  });
  await sleep(HEAD_START_MS);
  const ending = await service.stop();
  const verdicts = await Promise.all(calls);
  await caller.close();
  if (ending.code !== 0)
    complaints.push(
      `SIGTERM: it ended with ${ending.code ?? ending.signal} after ${ending.ms} ms, should be 0`,
    );
  for (const verdict of verdicts)
    if (verdict.is === 'wrong' || verdict.is === 'hung')
      complaints.push(`a call during SIGTERM: ${verdict.why}`);
  const left = await temporaryFiles(arena.outputFolder, pid);
  if (left.ours + left.witnesses > 0)
    complaints.push(`.tmp after SIGTERM: ${left.ours} half-written, ${left.witnesses} not flushed`);
  complaints.push(...(await busyStandins(arena)));
  const answers = verdicts.map((verdict) => (verdict.is === 'unlucky' ? verdict.code : verdict.is));
  return { ms: ending.ms, answers: counted(answers), complaints };
}

/** The first jobs of a seed that take a while, and whose callers want the file: links lead nowhere once it is gone. */
function slowJobs(seed: number): JobPlan[] {
  const plans: JobPlan[] = [];
  for (let number = 1_000_000; plans.length < CALLS; number += 1) {
    const plan = planJob(seed, number);
    if (plan.kind === 'slow' && plan.answer === 'file') plans.push({ ...plan, hangUpAfterMs: undefined });
  }
  return plans;
}

async function busyStandins(arena: Arena): Promise<string[]> {
  const deadline = Date.now() + QUIET_LIMIT_MS;
  for (;;) {
    const looks = await Promise.all(arena.backends.map(({ standin }) => standin.look()));
    const busy = looks.flatMap(({ running, pending, sockets }, index) => {
      const left = running.length + pending.length + sockets;
      return left > 0
        ? [`${arena.backends[index]?.name} after SIGTERM: ${left} prompts and sockets left`]
        : [];
    });
    if (busy.length === 0 || Date.now() > deadline) return busy;
    await sleep(200);
  }
}

function counted(texts: readonly string[]): string {
  const counts = new Map<string, number>();
  for (const text of texts) counts.set(text, (counts.get(text) ?? 0) + 1);
  return [...counts].map(([text, count]) => `${count} ${text}`).join(', ');
}
