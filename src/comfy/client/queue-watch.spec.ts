import { BehaviorSubject, Subject } from 'rxjs';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { QueueSnapshot } from './comfy-http.js';
import type { SocketState } from './comfy-socket.js';
import type { SocketMessage } from './messages.js';
import { QueueWatch } from './queue-watch.js';

describe('QueueWatch', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  function setUp() {
    const messages = new Subject<SocketMessage>();
    const state = new BehaviorSubject<SocketState>({ clientId: 'a' });
    const queue = vi.fn<() => Promise<QueueSnapshot>>(() =>
      Promise.resolve({ running: [], pending: [], complete: true }),
    );
    const watch = new QueueWatch({ queue }, messages, state, { settleMs: 10, everyMs: 100 });
    const remaining = (...counts: number[]) => {
      for (const queueRemaining of counts) messages.next({ type: 'status', queueRemaining });
    };
    return { messages, state, queue, watch, remaining };
  }

  it('asks once when the queue gets shorter and nothing has ended, for everybody', async () => {
    const { queue, watch, remaining } = setUp();
    const seen = [vi.fn<(snapshot: QueueSnapshot) => void>(), vi.fn<(snapshot: QueueSnapshot) => void>()];
    for (const each of seen) watch.snapshots$.subscribe(each);
    remaining(1, 2, 1, 0);
    await vi.advanceTimersByTimeAsync(10);
    expect(queue).toHaveBeenCalledTimes(1);
    for (const each of seen) expect(each).toHaveBeenCalledTimes(1);
  });

  it('asks no more often than it may', async () => {
    const { queue, watch, remaining } = setUp();
    watch.snapshots$.subscribe();
    for (let round = 0; round < 50; round += 1) {
      remaining(5, 4);
      await vi.advanceTimersByTimeAsync(10);
    }
    expect(queue.mock.calls.length).toBeLessThanOrEqual(6);
  });

  it('does not ask where an end explains it, nobody follows a prompt, or the socket is another one', async () => {
    const { messages, state, queue, watch, remaining } = setUp();
    remaining(2, 1);
    watch.snapshots$.subscribe();
    remaining(2);
    messages.next({ type: 'execution_success', promptId: 'p' });
    remaining(1);
    state.next({ clientId: 'b' });
    remaining(0);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(queue).not.toHaveBeenCalled();
  });

  it('survives a question without an answer, and leaves no timer behind', async () => {
    const { queue, watch, remaining } = setUp();
    const seen = vi.fn<(snapshot: QueueSnapshot) => void>();
    watch.snapshots$.subscribe(seen);
    queue.mockRejectedValueOnce(new Error('gone'));
    remaining(1, 0);
    await vi.advanceTimersByTimeAsync(10);
    remaining(1, 0);
    await vi.advanceTimersByTimeAsync(100);
    expect(seen).toHaveBeenCalledTimes(1);
    remaining(1, 0);
    watch.close();
    expect(vi.getTimerCount()).toBe(0);
  });
});
