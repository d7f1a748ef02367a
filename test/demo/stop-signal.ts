import { once } from 'node:events';

const SIGNALS = ['SIGINT', 'SIGTERM'] as const;

/** Fires on the first Ctrl+C or SIGTERM, of which nobody else hears: see `withoutSignals`. */
export function whenAskedToStop(): AbortSignal {
  const controller = new AbortController();
  for (const signal of SIGNALS) process.on(signal, () => controller.abort(new Error('asked to stop')));
  return controller.signal;
}

/**
 * Runs `create` and takes off the signal listeners that it leaves behind. The app has its own shutdown on a signal, at
 * whose end it kills the process; here the app is closed like everything else, and the process ends by itself with 0.
 */
export async function withoutSignals<T>(create: () => Promise<T>): Promise<T> {
  const before = SIGNALS.map((signal) => process.listeners(signal));
  const created = await create();
  for (const [index, signal] of SIGNALS.entries()) {
    for (const listener of process.listeners(signal)) {
      if (before[index]?.includes(listener) === false) process.off(signal, listener);
    }
  }
  return created;
}

export async function aborted(signal: AbortSignal): Promise<void> {
  if (!signal.aborted) await once(signal, 'abort');
}
