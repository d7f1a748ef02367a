import ipaddr from 'ipaddr.js';

/** A name, or `*.` before one (RFC 1123, 2.1). */
const NAME = /^(\*\.)?(?=.{1,253}$)[a-z0-9_]([a-z0-9_-]{0,62})(\.[a-z0-9_][a-z0-9_-]{0,62})*$/i;

/**
 * Hosts separated by commas: names, `*.` before a domain, addresses, and ranges of addresses (`10.1.0.0/16`).
 * @throws Error completing "read …, which …"
 */
export function parseAllowedHosts(text: string): string[] {
  return text
    .split(',')
    .map((entry) => entry.trim().toLowerCase())
    .filter((entry) => entry !== '')
    .map((entry) => {
      const host = entry.replace(/^\[(.*)\]$/, '$1');
      const known = host.includes('/')
        ? ipaddr.isValidCIDR(host)
        : ipaddr.IPv4.isValidFourPartDecimal(host) ||
          ipaddr.IPv6.isValid(host) ||
          // What could be an address in another notation is a mistake.
          (NAME.test(host) && !/^[\d.]+$/.test(host));
      if (!known) throw new Error(`has ${JSON.stringify(entry)}, which is no host, address or range`);
      return host;
    });
}
