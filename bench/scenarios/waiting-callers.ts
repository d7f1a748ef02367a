import { setMaxListeners } from 'node:events';
import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { putLoad } from '../load.js';
import { megabytes, type Report } from '../report/report.js';
import { blocker, tinyPicture } from '../workflows.js';
import type { Scenario, ScenarioOptions } from './scenario.js';
import { onStage, type Stage } from './stage.js';

const CALLERS = 2_000;
/** New callers between two breaths: the system's own line for new connections is short. */
const WAVE = 100;
const SLOTS = 2;
const TARGET_MB = 300;
const STEP_LIMIT_MS = 30_000;

/** Very many callers who wait; half of them lose patience. */
export const waitingCallers: Scenario = {
  name: 'waiting',
  real: false,
  run: async (options) => [await measure(options)],
};

function measure({ note }: ScenarioOptions): Promise<Report> {
  const env = { MAX_QUEUE: '5000', COMFYUI_SLOTS: String(SLOTS) };
  return onStage({ env }, async (stage) => {
    const { service, caller } = stage;
    const client = caller('url', CALLERS + SLOTS);
    await putLoad(client, { callers: 4, maxCalls: 100, maxMs: 10_000, workflow: tinyPicture });
    const before = (await service.memory())?.now;

    note(`waiting: ${CALLERS} callers come`);
    const [impatient, blocked] = [new AbortController(), new AbortController()];
    for (const { signal } of [impatient, blocked]) setMaxListeners(CALLERS, signal);
    const outcome = { answered: 0, hungUp: 0, failed: 0 };
    const call = (graph: ReturnType<typeof tinyPicture>, signal?: AbortSignal) =>
      client.run(graph, signal).then(
        () => void (outcome.answered += 1),
        () => void (outcome[signal?.aborted === true ? 'hungUp' : 'failed'] += 1),
      );
    const blocking = Array.from({ length: SLOTS }, () => call(blocker(), blocked.signal));
    await waitFor('the backend to be busy', stage, ({ waiting }) => waiting === 0);
    await sleep(200);
    const calls: Promise<void>[] = [];
    for (let index = 0; index < CALLERS; index += 1) {
      calls.push(call(tinyPicture(), index % 2 === 0 ? undefined : impatient.signal));
      if (index % WAVE === WAVE - 1) await sleep(20);
    }
    await waitFor('all to wait', stage, ({ waiting }) => waiting === CALLERS);
    await sleep(1_000);
    const waiting = (await service.memory())?.now;

    note('waiting: half of them hang up');
    impatient.abort();
    await waitFor('half to be gone', stage, ({ waiting: left }) => left === CALLERS / 2);

    note('waiting: the others are served');
    const start = performance.now();
    blocked.abort();
    await Promise.all([...blocking, ...calls]);
    const servedMs = performance.now() - start;
    const left = await waitFor('nobody to wait', stage, ({ waiting: now }) => now === 0);
    const peak = (await service.memory())?.peak;
    const clean =
      outcome.answered === CALLERS / 2 && outcome.hungUp === CALLERS / 2 + SLOTS && outcome.failed === 0;
    return {
      scenario: 'waiting',
      title: `${CALLERS.toLocaleString('en')} callers wait at once`,
      explanation:
        'Behind two prompts that do not end. Half of the callers then hang up, the two prompts are interrupted, and the other half is served.',
      table: [
        ['', 'memory before', 'all waiting', 'peak', 'answered', 'hung up', 'failed', 'served in'],
        [
          'service, URL',
          megabytes(before),
          megabytes(waiting),
          megabytes(peak),
          String(outcome.answered),
          String(outcome.hungUp),
          String(outcome.failed),
          `${(servedMs / 1_000).toFixed(1)} s`,
        ],
      ],
      targets: [
        {
          what: 'peak memory',
          measured: megabytes(peak),
          wanted: `below ${megabytes(TARGET_MB)}`,
          met: (peak ?? NaN) < TARGET_MB,
        },
        {
          what: 'everybody answered or let go',
          measured: clean ? 'yes' : 'no',
          wanted: 'yes',
          met: clean,
        },
      ],
      figures: {
        beforeMb: before,
        waitingMb: waiting,
        peakMb: peak,
        servedMs,
        leftWaiting: left.waiting,
        ...outcome,
      },
    };
  });
}

async function waitFor(
  what: string,
  { service }: Stage,
  test: (readiness: { waiting: number }) => boolean,
): Promise<{ waiting: number }> {
  const deadline = performance.now() + STEP_LIMIT_MS;
  for (;;) {
    const readiness = await service.readiness();
    if (readiness !== undefined && test(readiness)) return readiness;
    if (performance.now() > deadline) {
      throw new Error(
        `waited too long for ${what}; ${readiness?.waiting ?? 'an unknown number'} are waiting`,
      );
    }
    await sleep(100);
  }
}
