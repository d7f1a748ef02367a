import { Dice } from '../dice.js';
import { BACKEND_FAULTS } from './backend-faults.js';
import { BUCKET_FAULTS } from './bucket-faults.js';
import type { BackendFault, BucketFault } from './fault.js';

/** What goes wrong once so many jobs have been begun. */
export type PlannedFault = { number: number; at: number } & (
  | { target: 'backend'; fault: BackendFault; backend: number }
  | { target: 'bucket'; fault: BucketFault }
  | { target: 'service' }
);

export interface ScheduleOptions {
  jobs: number;
  backends: number;
  quick: boolean;
}

/** Jobs that run before anything goes wrong: as a baseline. */
export const warmUpOf = (jobs: number): number => Math.min(200, Math.max(25, Math.floor(jobs / 10)));

/** Share of the jobs after which nothing new goes wrong, so that the run ends in order. */
const LAST = 0.92;

/**
 * Faults by the number of jobs, not by time: a seed brings the same ones again. Each kind comes once before any comes
 * twice.
 */
export function schedule(seed: number, { jobs, backends, quick }: ScheduleOptions): PlannedFault[] {
  const dice = new Dice(seed, 'schedule');
  const first = warmUpOf(jobs);
  const last = Math.floor(jobs * LAST);
  const every = quick ? 4 : 8;
  const kinds = [...BACKEND_FAULTS, ...BUCKET_FAULTS];
  const planned: PlannedFault[] = [];
  let deck: (BackendFault | BucketFault)[] = [];
  for (let at = first; at < last; at += dice.between(1, 2 * every - 1)) {
    if (deck.length === 0) deck = dice.shuffled(kinds);
    const fault = deck.pop();
    if (fault === undefined) break;
    const number = planned.length + 1;
    if ('outage' in fault)
      planned.push({ number, at, target: 'backend', fault, backend: dice.between(0, backends - 1) });
    else planned.push({ number, at, target: 'bucket', fault });
  }
  const kills = quick ? 1 : 3 + Math.floor(jobs / 2_000);
  for (let kill = 1; kill <= kills; kill += 1) {
    const at = first + Math.floor(((last - first) * (kill - 0.25 - dice.roll() / 2)) / kills);
    planned.push({ number: planned.length + 1, at, target: 'service' });
  }
  return planned.sort((a, b) => a.at - b.at);
}
