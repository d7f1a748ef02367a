import { describe, expect, it } from 'vitest';
import { schedule, warmUpOf } from '../faults/schedule.js';
import { type JobPlan, planJob } from './plan.js';

const JOBS = 5_000;
const plans = (seed: number): JobPlan[] => Array.from({ length: JOBS }, (_, at) => planJob(seed, at + 1));

describe('planJob', () => {
  it('plans the same again for a seed, and something else for another', () => {
    expect(planJob(7, 3)).toEqual(planJob(7, 3));
    expect(plans(7)).not.toEqual(plans(8));
  });

  it('gives no two jobs a file that could be taken for the other', () => {
    const files = plans(1).flatMap(({ expected }) => ('files' in expected ? expected.files : []));
    const told = files.map((file) =>
      file.type === 'bytes' ? `${file.size} bytes` : `colour ${file.colour}`,
    );
    expect(new Set(told).size).toBe(told.length);
  });

  it('makes jobs of every kind', () => {
    const kinds = new Set(plans(2).map(({ kind }) => kind));
    expect([...kinds].sort()).toEqual(
      ['bytes', 'colour', 'invalid', 'raise', 'slow', 'two colours', 'websocket'].sort(),
    );
  });
});

describe('schedule', () => {
  it('plans the same again for a seed, in order, after the warm-up', () => {
    const options = { jobs: 2_000, backends: 4, quick: false };
    const planned = schedule(7, options);
    expect(planned).toEqual(schedule(7, options));
    expect(planned.map(({ at }) => at)).toEqual(planned.map(({ at }) => at).sort((a, b) => a - b));
    expect(planned.every(({ at }) => at >= warmUpOf(2_000) && at < 2_000)).toBe(true);
  });

  it('kills the service, and lets every kind of fault happen, in a quick run too', () => {
    const planned = schedule(7, { jobs: 200, backends: 4, quick: true });
    const names = new Set(planned.map((each) => (each.target === 'service' ? 'service' : each.fault.name)));
    expect(names.has('service')).toBe(true);
    expect(names.size).toBeGreaterThanOrEqual(30);
  });
});
