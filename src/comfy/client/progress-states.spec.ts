import { BehaviorSubject } from 'rxjs';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { NodeProgress } from './messages.js';
import { ProgressStates } from './progress-states.js';

describe('ProgressStates', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  function setUp(watching: boolean) {
    const watched$ = new BehaviorSubject(watching);
    const heard: NodeProgress[][] = [];
    const states = new ProgressStates(watched$, (nodes) => heard.push(nodes));
    const read = vi.fn<(value: number) => NodeProgress[]>((value) => [
      { node: '1', displayNode: '1', value, max: 10, state: 'running' },
    ]);
    const take = (value: number) => states.take({ bytes: 1, read: () => read(value) });
    return { watched$, heard, states, read, take };
  }

  it('parses nothing while nobody watches, and the newest frame for the first who does', () => {
    const { watched$, heard, read, take } = setUp(false);
    for (let value = 0; value < 1_000; value += 1) take(value);
    vi.advanceTimersByTime(5_000);
    expect(read).not.toHaveBeenCalled();
    watched$.next(true);
    vi.advanceTimersByTime(0);
    expect(heard).toEqual([[expect.objectContaining({ value: 999 })]]);
  });

  it('parses five frames a second, and the newest in the end', () => {
    const { heard, read, take } = setUp(true);
    for (let value = 0; value < 1_000; value += 1) {
      take(value);
      vi.advanceTimersByTime(1);
    }
    vi.advanceTimersByTime(200);
    expect(read.mock.calls.length).toBeLessThanOrEqual(6);
    expect(heard.at(-1)).toEqual([expect.objectContaining({ value: 999 })]);
  });

  it('leaves no timer behind', () => {
    const { states, take } = setUp(true);
    take(1);
    states.close();
    expect(vi.getTimerCount()).toBe(0);
  });
});
