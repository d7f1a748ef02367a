import { setTimeout as sleep } from 'node:timers/promises';
import { type Arrival, putArrivals } from '../../arrivals.js';
import type { Client } from '../../clients/client.js';
import { type Measured, putLoad } from '../../load.js';
import { ms, type Report, type Target, times } from '../../report/report.js';
import { median, quantile } from '../../statistics.js';
import { tinyPicture } from '../../workflows.js';
import type { Scenario, ScenarioOptions } from '../scenario.js';
import { callersOf, CASES, type Case, jobsOf } from './cases.js';
import { type Farm, onFarm } from './farm.js';

/** Parts of the time that the others need. */
const OF_ROUND_ROBIN = 0.8;
const OF_LEAST_BUSY = 1.1;
const LIMIT_MS = 120_000;
/** The last prompt is answered a moment before ComfyUI is done with it. */
const SETTLE_MS = 300;

/** What one contestant needed for all jobs of a case; times in milliseconds. */
interface Figures {
  name: string;
  makespanMs: number;
  medianMs: number;
  p95Ms: number;
  /** Models loaded. */
  loads: number;
}

/** Who should get which job, when loading a model costs time. */
export const dispatch: Scenario = {
  name: 'dispatch',
  real: false,
  async run(options) {
    const reports: Report[] = [];
    for (const which of CASES) {
      if (!(options.quick && which.long)) reports.push(await measure(which, options));
    }
    return reports;
  },
};

function measure(which: Case, { quick, note }: ScenarioOptions): Promise<Report> {
  const jobs = jobsOf(which, quick ? which.jobs / 2 : which.jobs);
  return onFarm(which, async (farm) => {
    const rounds: Figures[][] = [];
    for (let round = 0; round < which.rounds; round += 1) {
      const figures: Figures[] = [];
      for (const client of farm.contestants) {
        note(`dispatch: ${which.title}: ${client.name}`);
        figures.push(await compete(client, farm, which, jobs));
      }
      rounds.push(figures);
    }
    return report(which, jobs.length, rounds);
  });
}

/** One contestant with cold stand-ins. */
async function compete(client: Client, farm: Farm, which: Case, jobs: readonly Arrival[]): Promise<Figures> {
  // Its own code is warm then, and its connections are open.
  await putLoad(client, { callers: 16, maxCalls: 160, maxMs: 10_000, workflow: tinyPicture });
  await sleep(SETTLE_MS);
  await farm.chill();
  const before = await farm.loads();
  const { latencies, elapsedMs } = await put(client, which, jobs);
  if (latencies.length < jobs.length) throw new Error(`${client.name}: not done in ${LIMIT_MS} ms`);
  await sleep(SETTLE_MS);
  return {
    name: client.name,
    makespanMs: elapsedMs,
    medianMs: median(latencies),
    p95Ms: quantile(latencies, 0.95),
    loads: (await farm.loads()) - before,
  };
}

function put(client: Client, which: Case, jobs: readonly Arrival[]): Promise<Measured> {
  if (which.arrival === 'poisson') return putArrivals(client, jobs);
  const left = jobs.map(({ graph }) => graph).values();
  return putLoad(client, {
    callers: callersOf(which),
    maxCalls: jobs.length,
    maxMs: LIMIT_MS,
    workflow: () => left.next().value ?? tinyPicture(),
  });
}

/** @param rounds of each round the figures of all contestants, the service last */
function report(which: Case, jobs: number, rounds: readonly Figures[][]): Report {
  const figures = (rounds[0] ?? []).map(({ name }, index): Figures => {
    const middle = (key: Exclude<keyof Figures, 'name'>) =>
      median(rounds.map((round) => round[index]?.[key] ?? NaN));
    return {
      name,
      makespanMs: middle('makespanMs'),
      medianMs: middle('medianMs'),
      p95Ms: middle('p95Ms'),
      loads: middle('loads'),
    };
  });
  const service = figures.at(-1);
  const part = (key: 'makespanMs' | 'p95Ms', other: Figures | undefined) => {
    const index = figures.findIndex((each) => each === other);
    return median(rounds.map((round) => (round.at(-1)?.[key] ?? NaN) / (round[index]?.[key] ?? NaN)));
  };
  const [roundRobin, leastBusy] = figures;
  const [other, wanted] =
    which.loadMs > 0 ? ([roundRobin, OF_ROUND_ROBIN] as const) : ([leastBusy, OF_LEAST_BUSY] as const);
  const target = (what: string, value: number): Target => ({
    what: `${what}, of ${other?.name}`,
    measured: times(value),
    wanted: `at most ${times(wanted)}`,
    met: value <= wanted,
  });
  const turns = which.rounds > 1 ? ` Medians of ${which.rounds} rounds.` : '';
  const load =
    which.loadMs > 0 ? `${which.loadMs} ms more where its model is not in memory` : 'models for free';
  return {
    scenario: 'dispatch',
    title: `Dispatch: ${which.title}`,
    explanation: `${jobs} jobs of ${which.jobMs} ms, ${load}; one model fits. Ratios: the service's time as a part of theirs.${turns}`,
    table: [
      ['', 'makespan', 'ratio', 'median', 'p95', 'ratio', 'model loads'],
      ...figures.map((each) => [
        each.name,
        ms(each.makespanMs),
        each === service ? '' : times(part('makespanMs', each)),
        ms(each.medianMs),
        ms(each.p95Ms),
        each === service ? '' : times(part('p95Ms', each)),
        String(each.loads),
      ]),
    ],
    targets: [target('makespan', part('makespanMs', other)), target('95th percentile', part('p95Ms', other))],
    figures: { ...which, jobs, clients: figures },
  };
}
