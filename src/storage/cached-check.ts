import { setTimeout as delay } from 'node:timers/promises';
import type { StorageHealth } from './storage.port.js';

export interface CachedCheckLimits {
  /** How long an answer is repeated, in ms. */
  freshMs: number;
  /** When to stop waiting for one, in ms. */
  timeoutMs: number;
}

/** Asks at most once in a while, however often probes come, and answers in bounded time whatever happens. */
export class CachedCheck {
  private answer: Promise<StorageHealth> | undefined;
  private askedAt = -Infinity;

  constructor(
    private readonly ask: () => Promise<StorageHealth>,
    private readonly limits: CachedCheckLimits = { freshMs: 10_000, timeoutMs: 4_000 },
  ) {}

  get(): Promise<StorageHealth> {
    const now = performance.now();
    if (this.answer === undefined || now - this.askedAt > this.limits.freshMs) {
      this.askedAt = now;
      this.answer = this.bounded();
    }
    return this.answer;
  }

  private async bounded(): Promise<StorageHealth> {
    const timer = new AbortController();
    const late = delay(this.limits.timeoutMs, 'late' as const, { signal: timer.signal, ref: false });
    late.catch(() => undefined);
    try {
      const answer = await Promise.race([this.ask(), late]);
      return answer === 'late' ? { ok: false, detail: 'The storage does not answer.' } : answer;
    } catch {
      return { ok: false, detail: 'The storage cannot be checked.' };
    } finally {
      timer.abort();
    }
  }
}
