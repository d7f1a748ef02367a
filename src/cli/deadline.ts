import { CliError } from './cli.error.js';
import { EXIT } from './exit-codes.js';

/** A signal that a time limit ends as well as the one it is made of. `clear` it when the work is over. */
export interface Deadline {
  signal: AbortSignal;
  clear(): void;
}

/** @param seconds undefined: no limit */
export function deadline(seconds: number | undefined, interrupt: AbortSignal): Deadline {
  if (seconds === undefined) return { signal: interrupt, clear: () => {} };
  const controller = new AbortController();
  const timer = setTimeout(() => {
    const detail = `Not done within ${seconds} s (--timeout).`;
    controller.abort(new CliError(EXIT.timedOut, { code: 'timed_out', detail }));
  }, seconds * 1_000);
  return { signal: AbortSignal.any([interrupt, controller.signal]), clear: () => clearTimeout(timer) };
}
