import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { request } from 'undici';
import { LiveProbe } from '../processes/probe.js';
import { type Transport, Watchers } from '../processes/watchers.js';
import { megabytes, ms, type Report, type Target } from '../report/report.js';
import { quantile } from '../statistics.js';
import { slowPicture } from '../workflows.js';
import type { Scenario, ScenarioOptions } from './scenario.js';
import { onStage, type Stage } from './stage.js';

const WATCHERS = 1_000;
const LIMIT_MS = 60_000;

/** Megabytes that a connection and its buffers may take, and what the last half may add: then they pile up. */
const EACH_MB = 0.12;
const GROWTH_MB = 25;

/** Added to the 99th percentile of the event loop's delay. */
const TARGET_DELAY_MS = 50;

/** A thousand watchers on one job with previews: who watches costs a connection, and no more with time. */
export const watchers: Scenario = {
  name: 'watchers',
  real: false,
  run: async (options) => [await measure('sse', options), await measure('socket.io', options)],
};

interface Phase {
  mb: number | undefined;
  p99: number;
}

function measure(transport: Transport, { note, quick }: ScenarioOptions): Promise<Report> {
  const seconds = quick ? 15 : 40;
  return onStage({}, async (stage) => {
    const delays: number[] = [];
    const probe = new LiveProbe(stage.service.url, (took) => void delays.push(took));
    let crowd: Watchers | undefined;
    try {
      note(`watchers: ${transport}, nobody watches`);
      await submit(stage, 5);
      const alone = await look(stage, delays, 5_000);
      const job = await submit(stage, seconds);
      note(`watchers: ${WATCHERS} come by ${transport}`);
      crowd = new Watchers(stage.service.url, transport, job, WATCHERS);
      await until(() => crowd?.seen.connected === WATCHERS, 'all to be there');
      await sleep(2_000);
      const early = await look(stage, delays, (seconds * 1_000) / 4);
      const late = await look(stage, delays, (seconds * 1_000) / 4);
      note(`watchers: ${transport}, to the end`);
      await crowd.done();
      return report(
        transport,
        { alone, early, late, peak: (await stage.service.memory())?.peak },
        crowd.seen,
      );
    } finally {
      await crowd?.close();
      await probe.close();
    }
  });
}

/** A job with a preview every 100 ms. @returns its id */
async function submit({ service }: Stage, seconds: number): Promise<string> {
  const { body } = await request(`${service.url}/api/v2/jobs`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ workflow: slowPicture(seconds * 10, true) }),
  });
  const { id } = (await body.json()) as { id: string };
  return id;
}

async function look({ service }: Stage, delays: number[], forMs: number): Promise<Phase> {
  delays.length = 0;
  await sleep(forMs);
  return { mb: (await service.memory())?.now, p99: quantile(delays, 0.99) };
}

async function until(test: () => boolean, what: string): Promise<void> {
  const deadline = performance.now() + LIMIT_MS;
  while (!test()) {
    if (performance.now() > deadline) throw new Error(`waited too long for ${what}`);
    await sleep(50);
  }
}

function report(
  transport: Transport,
  { alone, early, late, peak }: { alone: Phase; early: Phase; late: Phase; peak: number | undefined },
  { ended, previews }: Watchers['seen'],
): Report {
  const name = transport === 'sse' ? 'server-sent events' : 'Socket.IO';
  const cost = (early.mb ?? NaN) - (alone.mb ?? NaN);
  const growth = (late.mb ?? NaN) - (early.mb ?? NaN);
  const targets: Target[] = [
    { what: 'all saw the end', measured: String(ended), wanted: String(WATCHERS), met: ended === WATCHERS },
    {
      what: 'memory for all of them',
      measured: megabytes(cost),
      wanted: `below ${megabytes(WATCHERS * EACH_MB)}`,
      met: cost < WATCHERS * EACH_MB,
    },
    {
      what: 'memory added later',
      measured: megabytes(growth),
      wanted: `below ${megabytes(GROWTH_MB)}`,
      met: growth < GROWTH_MB,
    },
    {
      what: 'event loop, 99th percentile, added',
      measured: ms(late.p99 - alone.p99),
      wanted: `below ${ms(TARGET_DELAY_MS)}`,
      met: late.p99 - alone.p99 < TARGET_DELAY_MS,
    },
  ];
  return {
    scenario: 'watchers',
    title: `${WATCHERS.toLocaleString('en')} watchers of one job with previews, ${name}`,
    explanation: `They are in a process of their own, and got ${Math.round(previews / WATCHERS)} previews each.`,
    table: [
      ['', 'nobody', 'all, early', 'all, late', 'peak'],
      ['memory', megabytes(alone.mb), megabytes(early.mb), megabytes(late.mb), megabytes(peak)],
      ['event loop, p99', ms(alone.p99), ms(early.p99), ms(late.p99), ''],
    ],
    targets,
    figures: { transport, alone, early, late, peak, ended, previews },
  };
}
