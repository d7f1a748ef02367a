import { describe, expect, it } from 'vitest';
import { Durations } from './durations.js';

describe('Durations', () => {
  it('does not know what it has not seen', () => {
    const durations = new Durations();
    expect(durations.runMs('s', 'a', 0)).toBeUndefined();
    expect(durations.storingMs('s', 'a')).toBeUndefined();
    durations.learnRun('s', 'a', false, 1_000);
    expect(durations.runMs('other', 'a', 0)).toBeUndefined();
    expect(durations.storingMs('s', 'a')).toBeUndefined();
  });

  it('counts the first few runs alike, and then follows the newest', () => {
    const durations = new Durations();
    durations.learnRun('s', 'a', false, 1_000);
    durations.learnRun('s', 'a', false, 2_000);
    expect(durations.runMs('s', 'a', 0)).toBe(1_500);
    durations.learnRun('s', 'a', false, 3_000);
    expect(durations.runMs('s', 'a', 0)).toBeCloseTo(2_000);
    durations.learnRun('s', 'a', false, 3_000);
    expect(durations.runMs('s', 'a', 0)).toBeCloseTo(2_300);
  });

  it('keeps loading apart, and takes a run that had to load as it was until it knows better', () => {
    const durations = new Durations();
    durations.learnRun('s', 'a', true, 21_000);
    expect(durations.runMs('s', 'a', 0)).toBe(21_000);
    expect(durations.runMs('s', 'a', 9_000)).toBe(21_000);
    durations.learnRun('s', 'a', false, 1_000);
    expect(durations.runMs('s', 'a', 0)).toBe(1_000);
    expect(durations.runMs('s', 'a', 9_000)).toBe(10_000);
  });

  it('knows each backend, and falls back on the others', () => {
    const durations = new Durations();
    durations.learnRun('s', 'fast', false, 1_000);
    durations.learnRun('s', 'slow', false, 3_000);
    durations.learnStoring('s', 'fast', 10);
    expect(durations.runMs('s', 'fast', 0)).toBe(1_000);
    expect(durations.runMs('s', 'new', 500)).toBe(2_500);
    expect(durations.storingMs('s', 'slow')).toBe(10);
    durations.learnRun('s', 'new', true, 50_000);
    expect(durations.runMs('s', 'new', 0)).toBe(2_000);
  });

  it('forgets what has not run for long', () => {
    const durations = new Durations();
    durations.learnRun('first', 'a', false, 1);
    durations.learnRun('second', 'a', false, 2);
    durations.learnStoring('first', 'a', 3);
    for (let shape = 0; shape < 1_999; shape += 1) durations.learnRun(`s${shape}`, 'a', false, 7);
    expect(durations.runMs('first', 'a', 0)).toBe(1);
    expect(durations.runMs('second', 'a', 0)).toBeUndefined();
    durations.learnRun('last', 'a', false, 7);
    expect(durations.runMs('first', 'a', 0)).toBeUndefined();
  });
});
