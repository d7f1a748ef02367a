/** Resolves at the first of these signals; from then on each has the system's effect again. */
export function firstSignal(...signals: NodeJS.Signals[]): Promise<void> {
  return new Promise((resolve) => {
    const heard = () => {
      for (const signal of signals) process.removeListener(signal, heard);
      resolve();
    };
    for (const signal of signals) process.on(signal, heard);
  });
}
