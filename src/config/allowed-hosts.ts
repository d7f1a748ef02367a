import ipaddr from 'ipaddr.js';

/** A name, or `*.` before one (RFC 1123, 2.1). */
const NAME = /^(\*\.)?(?=.{1,253}$)[a-z0-9_]([a-z0-9_-]{0,62})(\.[a-z0-9_][a-z0-9_-]{0,62})*$/i;

/**
 * Hosts separated by commas: names, `*.` before a domain, addresses, and ranges of addresses (`10.1.0.0/16`); behind each may be a port,
 * or `:*` for all ports. Without it the port is that of the scheme. IPv6 with a port has brackets.
 * @returns as `OutboundRules.allowHosts` takes them
 * @throws Error completing "read …, which …"
 */
export function parseAllowedHosts(text: string): string[] {
  return text
    .split(',')
    .map((entry) => entry.trim().toLowerCase())
    .filter((entry) => entry !== '')
    .map(normalized);
}

function normalized(entry: string): string {
  const [, bracketed, plain = '', port] = /^(?:\[([^\]]*)\]|([^:]*))(?::(\d{1,5}|\*))?$/.exec(entry) ?? [];
  // IPv6 without brackets: a port behind it could not be told from its last part.
  const host = bracketed ?? (plain === '' ? entry : plain);
  if (!isHost(host)) throw new Error(`has ${JSON.stringify(entry)}, which is no host, address or range`);
  if (port === undefined) return host;
  if (port !== '*' && (Number(port) < 1 || Number(port) > 65_535)) {
    throw new Error(`has ${JSON.stringify(entry)}, whose port is not 1 to 65535`);
  }
  return `${host.includes(':') ? `[${host}]` : host}:${port === '*' ? port : Number(port)}`;
}

function isHost(host: string): boolean {
  if (host.includes('/')) return ipaddr.isValidCIDR(host);
  return (
    ipaddr.IPv4.isValidFourPartDecimal(host) ||
    ipaddr.IPv6.isValid(host) ||
    // What could be an address in another notation is a mistake.
    (NAME.test(host) && !/^[\d.]+$/.test(host))
  );
}
