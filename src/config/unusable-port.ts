import { StartError } from './start.error.js';

const REASONS: Readonly<Record<string, string>> = {
  EADDRINUSE: 'another program uses it. End that program, or set PORT to another port.',
  EACCES: 'permission denied. Set PORT to a port above 1023, or let this user use it.',
  EADDRNOTAVAIL: 'the address is not one of this machine. Correct HOST.',
  ENOTFOUND: 'the host name is unknown. Correct HOST.',
};

/** Says in one line why nothing can be listened on, and what to do; any other error is returned as it is. */
export function unusablePort(host: string, port: number, cause: unknown): unknown {
  const reason = REASONS[(cause as NodeJS.ErrnoException).code ?? ''];
  return reason === undefined
    ? cause
    : new StartError(`Port ${port} of ${host} cannot be listened on: ${reason}`);
}
