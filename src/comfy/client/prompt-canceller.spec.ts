import { describe, expect, it, vi } from 'vitest';
import { BackendError } from './backend.error.js';
import type { ComfyHttp, QueuedPrompt, QueueSnapshot } from './comfy-http.js';
import { PromptCanceller } from './prompt-canceller.js';

const ours: QueuedPrompt = { promptId: 'p', mark: 'p', ours: true };
const EMPTY: QueueSnapshot = { running: [], pending: [], complete: true };
const RUNNING: QueueSnapshot = { ...EMPTY, running: [ours] };

function setUp(cancelJob: () => ReturnType<ComfyHttp['cancelJob']>, ...queues: QueueSnapshot[]) {
  const http = {
    cancelJob: vi.fn<ComfyHttp['cancelJob']>(cancelJob),
    queue: vi.fn<ComfyHttp['queue']>(() => Promise.resolve(queues.shift() ?? EMPTY)),
    deletePending: vi.fn<ComfyHttp['deletePending']>(() => Promise.resolve()),
    interrupt: vi.fn<ComfyHttp['interrupt']>(() => Promise.resolve()),
  };
  const canceller = new PromptCanceller(http as unknown as ComfyHttp);
  const stop = (id = 'p') => {
    canceller.cancel(id, Promise.resolve(id));
    return canceller.settled(id);
  };
  return { http, canceller, stop };
}

describe('PromptCanceller', () => {
  it('lets a new server cancel, and interrupts nothing', async () => {
    const { http, stop } = setUp(() => Promise.resolve({ cancelled: true }), RUNNING, RUNNING);
    expect(await stop()).toBe(true);
    expect(http.interrupt).not.toHaveBeenCalled();
  });

  it.each([
    ['says that there was nothing to cancel', () => Promise.resolve({ cancelled: false })],
    ['has no such route', () => Promise.resolve('unsupported' as const)],
    ['is behind a proxy that forbids the route', () => Promise.reject(new BackendError('status', '', 403))],
    ['answers with a page', () => Promise.reject(new BackendError('unreadable', '', 200))],
  ])('interrupts what still runs where the server %s', async (_, cancelJob) => {
    const { http, stop } = setUp(cancelJob, RUNNING, RUNNING);
    expect(await stop()).toBe(true);
    expect(http.interrupt).toHaveBeenCalledExactlyOnceWith('p');
  });

  it('asks a server without the route once, and again after a reconnect', async () => {
    const { http, canceller, stop } = setUp(() => Promise.resolve('unsupported'));
    await stop('a');
    await stop('b');
    expect(http.cancelJob).toHaveBeenCalledTimes(1);
    canceller.reconnected();
    await stop('c');
    expect(http.cancelJob).toHaveBeenCalledTimes(2);
  });

  it('looks again where a row of the queue cannot be read', async () => {
    const { http, stop } = setUp(() => Promise.resolve({ cancelled: true }), { ...EMPTY, complete: false });
    expect(await stop()).toBe(true);
    expect(http.queue).toHaveBeenCalledTimes(2);
  });
});
