import type { LookupFunction } from 'node:net';
import { buildConnector } from 'undici';
import type { AddressPolicy } from './address-policy.js';
import { hostNotAllowed } from './checked-url.js';
import type { Lookup, OwnServers } from './own-servers.js';
import { type Target, targetOf } from './target.js';

/** Milliseconds for a TCP (and TLS) connection. */
const CONNECT_MS = 10_000;

/**
 * Connects to addresses that were looked at, and to no others: the name is asked for once, and what it answers a second time does
 * not matter. One refused address among several is a refusal: a name of the internet has none.
 */
export function safeConnector(
  policy: AddressPolicy,
  own: OwnServers,
  lookup: Lookup,
): buildConnector.connector {
  return (options, done) => {
    const target = targetOf(options);
    own.whenKnown(target.port, () => {
      // A literal address is not looked up.
      if (!policy.allowsHost(target)) return done(hostNotAllowed(), null);
      const connect = buildConnector({
        timeout: CONNECT_MS,
        maxCachedSessions: 0,
        lookup: checkedLookup(policy, target, lookup),
        // Whatever the process is told for the sake of a ComfyUI: a certificate tells own servers from others at the same address.
        rejectUnauthorized: true,
      });
      connect(options, (...[error, socket]) => {
        if (error !== null) return done(error, null);
        if (policy.allows(socket.remoteAddress ?? '', target)) return done(null, socket);
        socket.destroy();
        done(hostNotAllowed(), null);
      });
    });
  };
}

function checkedLookup(policy: AddressPolicy, target: Target, lookup: Lookup): LookupFunction {
  return (hostname, options, done) => {
    lookup(hostname, { ...options, all: true }, (error, addresses) => {
      if (error !== null) return done(error, '');
      if (!addresses.every(({ address }) => policy.allows(address, target))) {
        return done(hostNotAllowed(), '');
      }
      const [first] = addresses;
      if (options.all === true) done(null, addresses);
      else done(null, first?.address ?? '', first?.family);
    });
  };
}
