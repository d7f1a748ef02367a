import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';

/** How a process ended. */
export interface Ending {
  code: number | null;
  signal: NodeJS.Signals | null;
}

export const hasEnded = (child: ChildProcess): boolean =>
  child.exitCode !== null || child.signalCode !== null;

/** Sends the signal and waits for the end, which SIGKILL brings after `limitMs`. */
export async function end(
  child: ChildProcess,
  signal: NodeJS.Signals = 'SIGTERM',
  limitMs = 10_000,
): Promise<Ending> {
  if (!hasEnded(child)) {
    const ended = once(child, 'exit');
    child.kill(signal);
    const force = setTimeout(() => child.kill('SIGKILL'), limitMs);
    await ended;
    clearTimeout(force);
  }
  return { code: child.exitCode, signal: child.signalCode };
}

/** However this process ends, that one does too. @returns takes it back */
export function endWithUs(child: ChildProcess): () => void {
  const kill = () => child.kill('SIGKILL');
  process.once('exit', kill);
  return () => process.off('exit', kill);
}
