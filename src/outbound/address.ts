import { networkInterfaces } from 'node:os';
import ipaddr from 'ipaddr.js';
import { bare } from './target.js';

export type Address = ipaddr.IPv4 | ipaddr.IPv6;

const NAT64 = ipaddr.parseCIDR('64:ff9b::/96');

/** @returns the address that is called in the end; undefined where it is none, or hides one in a way that nobody needs */
export function readAddress(text: string): Address | undefined {
  const written = inHex(text);
  return ipaddr.isValid(written) ? meant(ipaddr.parse(written)) : undefined;
}

/** IPv6 is given out from 2000::/3 only (RFC 4291, 2.4): what else ipaddr.js knows nothing against is compatible IPv4 and the like. */
export function isPublic(ip: Address): boolean {
  if (ip.range() !== 'unicast') return false;
  return ip.kind() === 'ipv4' || ((ip as ipaddr.IPv6).parts[0] ?? 0) >> 13 === 1;
}

/** Does it lead to this machine: loopback, every address at once, or an address of one of its interfaces? */
export function isLocal(ip: Address): boolean {
  if (ip.range() === 'loopback' || ip.range() === 'unspecified') return true;
  return Object.values(networkInterfaces()).some((entries) =>
    entries?.some(({ address }) => {
      const own = readAddress(address.replace(/%.*$/, ''));
      return own !== undefined && isSame(own, ip);
    }),
  );
}

export function isSame(a: Address, b: Address): boolean {
  return a.toNormalizedString() === b.toNormalizedString();
}

export function inRange(ip: Address, [network, bits]: [Address, number]): boolean {
  return ip.kind() === network.kind() && ip.match(network, bits);
}

/** `::8.8.8.8` means `::808:808`; ipaddr.js would take it for `::ffff:8.8.8.8`. */
function inHex(address: string): string {
  const url = `http://[${address}]/`;
  return address.includes(':') && URL.canParse(url) ? bare(new URL(url).hostname) : address;
}

/**
 * IPv4 in the guise of IPv6 (RFC 4291, 2.5.5.2; RFC 6052, 2.1) is that IPv4 address.
 * @returns undefined for other ways to hide one: 6to4, Teredo, local NAT64 (RFC 8215), zones
 */
function meant(ip: Address): Address | undefined {
  if (ip.kind() === 'ipv4') return ip;
  const v6 = ip as ipaddr.IPv6;
  if (v6.zoneId) return undefined;
  if (v6.isIPv4MappedAddress()) return v6.toIPv4Address();
  if (inRange(v6, NAT64)) return ipaddr.fromByteArray(v6.toByteArray().slice(12));
  return ['rfc6052', 'rfc6145', '6to4', 'teredo'].includes(v6.range()) ? undefined : v6;
}
