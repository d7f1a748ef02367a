import { describe, expect, it } from 'vitest';
import type { RunProgress } from '../client/index.js';
import { type Lore, playThrough, remainingMs, type Server, type Waiter } from './forecast.js';

const progress = (value: number, steps?: number): RunProgress => ({
  value,
  node: '3',
  class: 'KSampler',
  step: steps === undefined ? undefined : 1,
  steps,
  nodesDone: 1,
  nodesTotal: 7,
});

describe('remainingMs', () => {
  it('is what is left of what was learned', () => {
    expect(remainingMs(10_000, 0, undefined)).toBe(10_000);
    expect(remainingMs(10_000, 4_000, undefined)).toBe(6_000);
  });

  it('expects the end at any moment where it takes a little longer', () => {
    expect(remainingMs(10_000, 10_001, undefined)).toBe(0);
    expect(remainingMs(10_000, 15_100, undefined)).toBe(0);
    expect(remainingMs(10, 110, undefined)).toBe(0);
  });

  it('says nothing where nothing is known, or it takes much longer', () => {
    expect(remainingMs(undefined, 4_000, undefined)).toBeUndefined();
    expect(remainingMs(10_000, 15_101, undefined)).toBeUndefined();
    expect(remainingMs(10_000, 15_101, progress(0.05, 20))).toBeUndefined();
  });

  it('takes its own pace the more seriously the further it is', () => {
    // At this pace 4 s of 8 are left, by what was learned 6 of 10.
    expect(remainingMs(10_000, 4_000, progress(0.5, 20))).toBe(0.5 * 4_000 + 0.5 * 6_000);
    expect(remainingMs(10_000, 9_000, progress(0.9, 20))).toBeCloseTo(1_000);
    expect(remainingMs(10_000, 4_000, progress(0.04, 20))).toBe(6_000);
  });

  it('goes by the pace alone where the rest is unknown or was wrong', () => {
    expect(remainingMs(undefined, 4_000, progress(0.5, 20))).toBe(4_000);
    expect(remainingMs(10_000, 20_000, progress(0.5, 20))).toBe(20_000);
  });

  it('does not take the number of nodes for a pace', () => {
    expect(remainingMs(undefined, 100, progress(0.5))).toBeUndefined();
    expect(remainingMs(10_000, 100, progress(0.5))).toBe(9_900);
  });
});

/** Shapes are the seconds they take, `?` is one that nobody knows; a model loads in ten seconds; storing takes 100 ms. */
const lore: Lore = {
  runMs: (shape, _, loadMs) => (shape === '?' ? undefined : Number(shape) * 1_000 + loadMs),
  storingMs: (shape) => (shape === '?' ? undefined : 100),
  loadMs: (models) => models.length * 10_000,
};

/** Jobs `seconds model…`, named by their place. */
const line = (...jobs: string[]): Waiter[] =>
  jobs.map((job, index) => {
    const [shape = '', ...models] = job.split(' ');
    return { id: `${index}`, shape, models };
  });

const server = (freeInMs: number | undefined, ...loaded: string[]): Server => ({
  name: `gpu-${freeInMs}`,
  freeInMs,
  loaded: new Set(loaded),
});

/** When each begins and ends, in seconds. */
const play = (jobs: Waiter[], servers: Server[]) => {
  const told = playThrough(jobs, servers, lore);
  return jobs.map(({ id }) => {
    const { startsInMs, endsInMs } = told.get(id) ?? {};
    return [startsInMs, endsInMs].map((ms) => (ms === undefined ? undefined : ms / 1_000));
  });
};

const NEVER = [undefined, undefined];

describe('playThrough', () => {
  it('runs one after the other on one backend', () => {
    expect(play(line('2', '3', '1'), [server(500)])).toEqual([
      [0.5, 2.6],
      [2.5, 5.6],
      [5.5, 6.6],
    ]);
  });

  it('gives each to who is free first', () => {
    expect(play(line('4', '4', '4', '4'), [server(0), server(1_000), server(9_000)])).toEqual([
      [0, 4.1],
      [1, 5.1],
      [4, 8.1],
      [5, 9.1],
    ]);
  });

  it('tells nothing without a backend, or behind what nobody knows on all', () => {
    expect(play(line('1'), [])).toEqual([NEVER]);
    expect(play(line('1'), [server(undefined)])).toEqual([NEVER]);
    expect(play(line('1', '?', '1'), [server(0)])).toEqual([[0, 1.1], [1, undefined], NEVER]);
  });

  it('goes on with the others where one is busy for nobody knows how long', () => {
    expect(play(line('1', '1'), [server(undefined), server(3_000)])).toEqual([
      [3, 4.1],
      [4, 5.1],
    ]);
    expect(play(line('?', '1', '1'), [server(0), server(3_000)])).toEqual([
      [0, undefined],
      [3, 4.1],
      [4, 5.1],
    ]);
  });

  it('knows what has to be loaded, and who has it', () => {
    expect(play(line('1 x', '1 x', '1 y'), [server(0, 'y')])).toEqual([
      [0, 11.1],
      [11, 12.1],
      [12, 23.1],
    ]);
    expect(play(line('1 x', '1'), [server(0), server(5_000, 'x')])).toEqual([
      [5, 6.1],
      [0, 1.1],
    ]);
    expect(play(line('1 x y'), [server(0, 'y')])).toEqual([[0, 11.1]]);
  });

  it('stops when it is not worth while any more', () => {
    let asked = 0;
    const told = playThrough(line('1', '1', '1'), [server(0)], lore, () => (asked += 1) <= 2);
    expect([...told.keys()]).toEqual(['0', '1']);
  });
});
