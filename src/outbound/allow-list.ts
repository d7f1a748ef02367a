import ipaddr from 'ipaddr.js';
import { type Address, inRange, isSame, readAddress } from './address.js';
import { bare, portOf, type Target } from './target.js';

/** Names that mean this machine wherever they are asked for (RFC 6761, 6.3). */
const LOCALHOST = /(^|\.)localhost$/;

interface Entry {
  /** Which ports it opens; undefined: that of the scheme. */
  port: number | 'all' | undefined;
  host:
    | { kind: 'name'; name: string }
    | { kind: 'suffix'; suffix: string }
    | { kind: 'address'; address: Address }
    | { kind: 'range'; range: [Address, number] };
}

/**
 * What operators list beside the public internet: names, `*.` before a domain, addresses and ranges, each with `:port` or `:*` behind it,
 * or for the port of the scheme only. IPv6 has brackets where there is a port.
 */
export class AllowList {
  private readonly entries: readonly Entry[];

  constructor(hosts: readonly string[]) {
    this.entries = hosts.map(readEntry);
  }

  /** Is this name listed with this port? */
  listsName(target: Target): boolean {
    const name = bare(target.hostname);
    return this.some(
      target,
      ({ host }) =>
        (host.kind === 'name' && host.name === name) ||
        (host.kind === 'suffix' && name.endsWith(host.suffix)),
    );
  }

  /** Is this address listed by itself? */
  listsAddress(ip: Address, target: Target): boolean {
    return this.some(target, ({ host }) => host.kind === 'address' && isSame(host.address, ip));
  }

  /**
   * May the address be called because it is listed? A range opens no link-local address, and a name none of this machine either, unless it
   * is `localhost`: who answers for a name may be somebody else than who listed it.
   */
  opens(ip: Address, target: Target): boolean {
    if (this.listsAddress(ip, target)) return true;
    if (ip.range() === 'linkLocal') return false;
    if (this.some(target, ({ host }) => host.kind === 'range' && inRange(ip, host.range))) return true;
    if (ip.range() === 'loopback' && !LOCALHOST.test(bare(target.hostname))) return false;
    return this.listsName(target);
  }

  private some({ port, secure }: Target, matches: (entry: Entry) => boolean): boolean {
    return this.entries.some(
      (entry) => (entry.port === 'all' || port === (entry.port ?? portOf(secure))) && matches(entry),
    );
  }
}

function readEntry(text: string): Entry {
  const [, host = text, written] = /^(\[.*\]|[^:]*)(?::(\d{1,5}|\*))?$/.exec(text) ?? [];
  const port = written === undefined ? undefined : written === '*' ? 'all' : Number(written);
  return { port, host: readHost(bare(host)) };
}

function readHost(host: string): Entry['host'] {
  if (host.includes('/')) return { kind: 'range', range: ipaddr.parseCIDR(host) };
  const address = readAddress(host);
  if (address !== undefined) return { kind: 'address', address };
  if (host.startsWith('*.')) return { kind: 'suffix', suffix: host.slice(1) };
  return { kind: 'name', name: host };
}
