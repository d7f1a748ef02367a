import { describe, expect, it } from 'vitest';
import { pauseAfter, SCHEDULE_MS } from './back-off.js';

const DAY_MS = 86_400_000;

describe('pauseAfter', () => {
  it('spreads eleven tries over about a day', () => {
    const pauses = SCHEDULE_MS.map((_, index) => pauseAfter(index + 1, SCHEDULE_MS, () => 0.5) ?? 0);
    expect(pauses).toEqual(SCHEDULE_MS);
    const total = pauses.reduce((sum, pause) => sum + pause, 0);
    expect(total / DAY_MS).toBeCloseTo(1, 1);
    expect(pauses.every((pause, index) => pause >= (pauses[index - 1] ?? 0))).toBe(true);
  });

  it('ends', () => {
    expect(pauseAfter(SCHEDULE_MS.length + 1)).toBeUndefined();
    expect(pauseAfter(1, [])).toBeUndefined();
  });

  it('differs by a fifth', () => {
    expect([0, 0.5, 1].map((random) => pauseAfter(1, [1_000], () => random))).toEqual([800, 1_000, 1_200]);
  });
});
