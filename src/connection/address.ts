import type { IncomingMessage } from 'node:http';
import { isIPv6 } from 'node:net';

/**
 * The address that stands for whoever sent a request, for shares: IPv4 as it is, of IPv6 the first 64 bits, because one host has all
 * addresses of such a network.
 * @param address as sockets tell it; undefined where the socket is closed already
 */
export function networkOf(address: string | undefined): string {
  if (address === undefined) return '';
  const plain = address.replace(/^::ffff:(?=\d+\.)/i, '').replace(/%.*$/, '');
  if (!isIPv6(plain)) return plain;
  const [head = '', tail] = plain.split('::');
  const first = head === '' ? [] : head.split(':');
  const last = tail === undefined || tail === '' ? [] : tail.split(':');
  const groups = tail === undefined ? first : [...first, ...zeros(8 - first.length - last.length), ...last];
  return `${groups
    .slice(0, 4)
    .map((group) => group.replace(/^0+(?=.)/, '').toLowerCase())
    .join(':')}::/64`;
}

function zeros(count: number): string[] {
  return Array.from({ length: Math.max(0, count) }, () => '0');
}

/** Tells whether an address is a reverse proxy of ours, as Express does (`trust proxy fn`). */
export type TrustsProxy = (address: string, hop: number) => boolean;

/**
 * Where a request came from: the address of the connection, or what trusted reverse proxies say in `X-Forwarded-For`.
 * @returns undefined where the connection is closed already
 */
export function callerAddress(request: IncomingMessage, trusts: TrustsProxy): string | undefined {
  const forwarded = String(request.headers['x-forwarded-for'] ?? '').slice(-2_000);
  let address = request.socket.remoteAddress;
  for (const [hop, before] of forwarded.split(',').reverse().entries()) {
    if (address === undefined || before.trim() === '' || !trusts(address, hop)) return address;
    address = before.trim();
  }
  return address;
}
