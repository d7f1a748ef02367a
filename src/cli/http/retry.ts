import { setTimeout as sleep } from 'node:timers/promises';

const FIRST_MS = 500;
const LONGEST_MS = 10_000;

/** A server that asks for more time than this is asked again nevertheless. */
const LONGEST_RETRY_AFTER_S = 120;

/** Milliseconds before the next try: twice as long each time, and never the same for many that failed together. @param tries before it, from 0 */
export function backoffMs(tries: number): number {
  return Math.min(FIRST_MS * 2 ** tries, LONGEST_MS) * (0.75 + Math.random() / 2);
}

/** Seconds of a `Retry-After` header, which may be a date (RFC 9110, 10.2.3); undefined: there is none that can be read. */
export function retryAfterS(header: string | undefined, now = Date.now()): number | undefined {
  if (header === undefined) return undefined;
  const seconds = /^\d{1,9}$/.test(header) ? Number(header) : (Date.parse(header) - now) / 1_000;
  return Number.isNaN(seconds) ? undefined : Math.min(Math.max(0, Math.ceil(seconds)), LONGEST_RETRY_AFTER_S);
}

/** Waits. @throws the reason of the signal */
export async function pause(ms: number, signal: AbortSignal): Promise<void> {
  try {
    await sleep(ms, undefined, { signal });
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  }
}
