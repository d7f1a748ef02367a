import { setTimeout as delay } from 'node:timers/promises';
import { StorageError } from '../storage.error.js';
import { fromOssError } from './oss-error.js';

export interface RetryPolicy {
  attempts: number;
  /** Longest pause before the second attempt, in ms; doubles from one to the next. */
  baseMs: number;
  /** Longest pause at all, in ms. */
  capMs: number;
}

export const RETRY_POLICY: RetryPolicy = { attempts: 4, baseMs: 500, capMs: 8_000 };

export interface RetryContext {
  policy: RetryPolicy;
  /** Milliseconds after which no new attempt begins. */
  deadlineMs: number;
  /** Milliseconds within which attempts go on beyond the policy's count. @default 0 */
  patienceMs?: number;
  signal?: AbortSignal | undefined;
  onRetry?: (error: StorageError, attempt: number) => void;
}

/**
 * Repeats what failed for reasons that pass. Pauses are random between nothing and a growing limit ("full jitter"), so
 * that uploads that failed together do not come back together. Bytes that did not arrive as sent get one more chance.
 * @throws StorageError of the last attempt; the signal's reason
 */
export async function retrying<T>(attempt: () => Promise<T>, context: RetryContext): Promise<T> {
  const { policy, signal, patienceMs = 0 } = context;
  const start = performance.now();
  for (let count = 1; ; count++) {
    signal?.throwIfAborted();
    try {
      return await attempt();
    } catch (cause) {
      signal?.throwIfAborted();
      const error = fromOssError(cause);
      const pause = Math.random() * Math.min(policy.capMs, policy.baseMs * 2 ** (count - 1));
      const elapsed = performance.now() - start + pause;
      const enough =
        error.reason === 'integrity' ? count >= 2 : count >= policy.attempts && elapsed > patienceMs;
      if (!error.retryable || enough || elapsed > context.deadlineMs) throw error;
      context.onRetry?.(error, count);
      // Aborted while it waits: the loop's first line throws the reason.
      await delay(pause, undefined, { signal: signal ?? undefined }).catch(() => undefined);
    }
  }
}
