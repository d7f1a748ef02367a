import { lookup as systemLookup, type LookupAddress, type LookupOptions } from 'node:dns';
import type { LookupFunction } from 'node:net';
import { buildConnector } from 'undici';
import type { AddressPolicy } from './address-policy.js';
import { hostNotAllowed } from './checked-url.js';

/** All addresses of a name. */
export type Lookup = (
  hostname: string,
  options: LookupOptions & { all: true },
  done: (error: NodeJS.ErrnoException | null, addresses: LookupAddress[]) => void,
) => void;

/** Milliseconds for a TCP (and TLS) connection. */
const CONNECT_MS = 10_000;

/**
 * Connects to addresses that were looked at, and to no others: the name is asked for once, and what it answers a second time does
 * not matter. One refused address among several is a refusal: a name of the internet has none.
 */
export function safeConnector(
  policy: AddressPolicy,
  lookup: Lookup = systemLookup,
): buildConnector.connector {
  const checked: LookupFunction = (hostname, options, done) => {
    lookup(hostname, { ...options, all: true }, (error, addresses) => {
      if (error !== null) return done(error, '');
      if (!addresses.every(({ address }) => policy.allows(address, hostname))) {
        return done(hostNotAllowed(), '');
      }
      const [first] = addresses;
      if (options.all === true) done(null, addresses);
      else done(null, first?.address ?? '', first?.family);
    });
  };
  const connect = buildConnector({ timeout: CONNECT_MS, lookup: checked });
  return (options, done) => {
    // A literal address is not looked up.
    if (!policy.allowsHost(options.hostname)) return done(hostNotAllowed(), null);
    connect(options, (...[error, socket]) => {
      if (error !== null) return done(error, null);
      if (policy.allows(socket.remoteAddress ?? '', options.hostname)) return done(null, socket);
      socket.destroy();
      done(hostNotAllowed(), null);
    });
  };
}
