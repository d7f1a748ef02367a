import { Subject } from 'rxjs';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { RunEvent } from '../client/index.js';
import { withDeadlines } from './deadlines.js';

describe('withDeadlines', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  function watch() {
    const source = new Subject<RunEvent>();
    const seen: string[] = [];
    source.pipe(withDeadlines({ jobMs: 1_000, stallMs: 100 }, 2_000)).subscribe({
      next: ({ type }) => seen.push(type),
      error: ({ code }: { code: string }) => seen.push(code),
      complete: () => seen.push('complete'),
    });
    return { source, seen };
  }
  const preview: RunEvent = { type: 'preview', node: '1', mime: 'image/jpeg', bytes: new Uint8Array(1) };

  it('ends a run without progress, and lets go of its source', () => {
    const { source, seen } = watch();
    source.next({ type: 'started' });
    vi.advanceTimersByTime(99);
    source.next(preview);
    vi.advanceTimersByTime(99);
    expect(seen).toEqual(['started', 'preview']);
    vi.advanceTimersByTime(1);
    expect(seen.at(-1)).toBe('job_stalled');
    expect(source.observed).toBe(false);
  });

  it('does not take for a stall what ComfyUI still runs while nobody hears of it', () => {
    const { source, seen } = watch();
    source.next({ type: 'started' });
    for (let tick = 0; tick < 5; tick += 1) {
      vi.advanceTimersByTime(90);
      source.next({ type: 'alive' });
    }
    expect(new Set(seen)).toEqual(new Set(['started', 'alive']));
  });

  it('ends a run that takes too long, however busy it looks', () => {
    const { source, seen } = watch();
    source.next({ type: 'started' });
    for (let tick = 0; tick < 20; tick += 1) {
      vi.advanceTimersByTime(50);
      source.next(preview);
    }
    expect(seen.at(-1)).toBe('job_timeout');
    expect(source.observed).toBe(false);
  });

  it('does not count the time that it waits behind others, but ends that, too', () => {
    const { source, seen } = watch();
    source.next({ type: 'accepted', promptId: 'p', nodeErrors: {} });
    vi.advanceTimersByTime(1_999);
    expect(seen).toEqual(['accepted']);
    vi.advanceTimersByTime(1);
    expect(seen.at(-1)).toBe('job_stalled');
  });

  it('leaves no timer behind', () => {
    const { source, seen } = watch();
    source.next({ type: 'started' });
    source.complete();
    expect(seen).toEqual(['started', 'complete']);
    expect(vi.getTimerCount()).toBe(0);
    const { source: failing } = watch();
    failing.next({ type: 'started' });
    failing.error(new Error('oops'));
    expect(vi.getTimerCount()).toBe(0);
  });
});
