import type { LookupAddress, LookupOptions } from 'node:dns';
import { setTimeout as delay } from 'node:timers/promises';
import { type Address, isLocal, isPublic, isSame, readAddress } from './address.js';
import type { OwnServer } from './outbound.js';
import { bare, type Target } from './target.js';

/** All addresses of a name. */
export type Lookup = (
  hostname: string,
  options: LookupOptions & { all: true },
  done: (error: NodeJS.ErrnoException | null, addresses: LookupAddress[]) => void,
) => void;

/** Milliseconds for which the addresses of a name are believed, and that a call waits for them: then it has those of before. */
const BELIEVED_MS = 5_000;
const LOOKUP_MS = 2_000;

/** What is known of one name. */
interface Known {
  addresses: readonly Address[];
  /** When it was asked for last (monotonic milliseconds). */
  at: number;
  asking: Promise<void> | undefined;
}

/**
 * The servers of this installation, which no caller may reach through it, by whatever name or address: the application itself, ComfyUI,
 * the bucket. Their names are looked up when somebody wants to call one of their ports.
 */
export class OwnServers {
  private readonly known = new Map<string, Known>();

  constructor(
    private readonly list: () => readonly OwnServer[],
    private readonly lookup: Lookup,
  ) {}

  /** Is it one of them by its name? */
  names({ hostname, port }: Target): boolean {
    const name = bare(hostname);
    return this.on(port).some((server) => server.publicAllowed !== true && bare(server.host) === name);
  }

  /** Learns the addresses of those with this port. Never rejects, and takes 2 s at most. */
  async learn(port: number): Promise<void> {
    const names = this.on(port)
      .map(({ host }) => bare(host))
      .filter((host) => readAddress(host) === undefined);
    if (names.length === 0) return;
    const asking = Promise.all(names.map((name) => this.refresh(name)));
    await Promise.race([asking, delay(LOOKUP_MS, undefined, { ref: false })]);
  }

  /** Calls back once the addresses of those with this port are known as far as they can be. */
  whenKnown(port: number, then: () => void): void {
    void this.learn(port).then(then);
  }

  /**
   * Does a call of this address reach one of them, as far as their addresses are known? Not where it is on the public internet and called by
   * TLS under another name: then others may share the address, and the certificate keeps them apart.
   */
  includes(ip: Address, { port, secure }: Pick<Target, 'port' | 'secure'>): boolean {
    return this.on(port).some(({ host, publicAllowed = false }) => {
      const addresses = this.addressesOf(bare(host));
      if (addresses.some(isLocal) && isLocal(ip)) return true;
      if (!addresses.some((address) => isSame(address, ip))) return false;
      return !(isPublic(ip) && (secure || publicAllowed));
    });
  }

  private on(port: number): readonly OwnServer[] {
    return this.list().filter((server) => server.port === port);
  }

  private addressesOf(host: string): readonly Address[] {
    const address = readAddress(host);
    return address === undefined ? (this.known.get(host)?.addresses ?? []) : [address];
  }

  private refresh(name: string): Promise<void> {
    const known = this.known.get(name) ?? { addresses: [], at: -Infinity, asking: undefined };
    this.known.set(name, known);
    if (performance.now() - known.at < BELIEVED_MS) return Promise.resolve();
    known.asking ??= new Promise<void>((resolve) => {
      this.lookup(name, { all: true }, (error, addresses) => {
        known.asking = undefined;
        known.at = performance.now();
        // A name that has no address for the moment may get its old one back.
        if (error === null) known.addresses = addresses.flatMap(({ address }) => readAddress(address) ?? []);
        resolve();
      });
    });
    return known.asking;
  }
}
