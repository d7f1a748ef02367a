import { readFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { shareLimits, Shares } from '../shares/index.js';
import { networkOf, type TrustsProxy } from './address.js';

/** Connections at most, whatever the system allows. */
const MAX_CONNECTIONS = 16_384;

/** File descriptors where the system does not tell how many a process may have: the usual soft limit. */
const USUAL_DESCRIPTORS = 1_024;

/** Connections that callers may hold: three quarters of the file descriptors, because jobs need some for files and for ComfyUI. */
export function maxConnections(descriptors: number = descriptorLimit()): number {
  return Math.min(MAX_CONNECTIONS, Math.floor(descriptors * 0.75));
}

/** Shares out the connections of a server: one network holds seven eighths at most. Reverse proxies that are trusted share theirs with nobody. */
export class ConnectionShares {
  private readonly shares: Shares;

  constructor(
    total: number,
    private readonly trusts: TrustsProxy,
  ) {
    // A caller is known by its requests only: here the network is all there is.
    const { network } = shareLimits(total);
    this.shares = new Shares({ total, network, caller: network });
  }

  /** Takes a place for a connection until it closes. @returns false where there is none: it has been closed */
  admit(socket: Socket): boolean {
    const address = socket.remoteAddress;
    if (address !== undefined && this.trusts(address, 0)) return true;
    const network = networkOf(address);
    if (this.shares.exhausted(network) !== undefined) {
      socket.destroy();
      return false;
    }
    this.shares.take(network);
    socket.once('close', () => this.shares.release(network));
    return true;
  }
}

/** Files that this process may have open, as proc(5) tells on Linux; Node raises the soft limit to the hard one when it starts. */
function descriptorLimit(): number {
  try {
    const [, soft] = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8')) ?? [];
    return soft === undefined ? USUAL_DESCRIPTORS : Number(soft);
  } catch {
    return USUAL_DESCRIPTORS;
  }
}
