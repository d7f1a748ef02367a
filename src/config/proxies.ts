import { BlockList, isIP } from 'node:net';

/** Names of ranges, as Express knows them. */
const RANGES = new Set(['loopback', 'linklocal', 'uniquelocal']);

/**
 * Reads which reverse proxies are trusted: addresses, ranges, `loopback`, `linklocal`, `uniquelocal`.
 * @throws Error
 */
export function parseProxies(text: string): string[] {
  return text.split(',').map((part) => {
    const entry = part.trim().toLowerCase();
    if (RANGES.has(entry) || isIP(entry) !== 0 || isRange(entry)) return entry;
    throw new Error('holds what is neither an address nor a range');
  });
}

function isRange(entry: string): boolean {
  const [address = '', bits = ''] = entry.split('/');
  if (!/^\d{1,3}$/.test(bits) || isIP(address) === 0) return false;
  try {
    new BlockList().addSubnet(address, Number(bits), isIP(address) === 6 ? 'ipv6' : 'ipv4');
    return true;
  } catch {
    return false;
  }
}
