import { once, setMaxListeners } from 'node:events';

const SIGNALS = ['SIGINT', 'SIGTERM'] as const;

/** Fires on the first Ctrl+C or SIGTERM; the second ends the process at once. */
export function whenAskedToStop(): AbortSignal {
  const controller = new AbortController();
  // Every caller listens.
  setMaxListeners(0, controller.signal);
  for (const signal of SIGNALS) {
    process.on(signal, () => {
      if (controller.signal.aborted) process.exit(130);
      controller.abort(new Error('asked to stop'));
    });
  }
  return controller.signal;
}

export async function aborted(signal: AbortSignal): Promise<void> {
  if (!signal.aborted) await once(signal, 'abort');
}
