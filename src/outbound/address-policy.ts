import ipaddr from 'ipaddr.js';
import type { OutboundRules } from './outbound.js';

type Address = ipaddr.IPv4 | ipaddr.IPv6;

/**
 * Where clouds tell machines their secrets, to whoever asks: AWS, Azure, Google and others (the first), AWS's containers and IPv6,
 * Google's IPv6, Aliyun, Oracle, and Azure's own address, which is of the public internet.
 */
const METADATA = new Set(
  [
    '169.254.169.254',
    '169.254.170.2',
    '169.254.170.23',
    'fd00:ec2::254',
    'fd00:ec2::23',
    'fd20:ce::254',
    '100.100.100.200',
    '192.0.0.192',
    '168.63.129.16',
  ].map((address) => ipaddr.parse(address).toNormalizedString()),
);

/** What `allowPrivate` opens: RFC 1918, RFC 4193, RFC 6598 and this machine. */
const PRIVATE: ReadonlySet<string> = new Set(['private', 'uniqueLocal', 'carrierGradeNat', 'loopback']);

/** Never of one machine, or of no machine at all. */
const NEVER: ReadonlySet<string> = new Set(['unspecified', 'broadcast', 'multicast', 'discard']);

/**
 * Names that mean this machine or its network wherever they are asked for (RFC 6761, RFC 6762, and the clouds' own), and those without
 * a dot, which a resolver completes by itself.
 */
const LOCAL_NAME = /(^|\.)(localhost|local|internal)$|^[^.]*$/;

const NAT64 = ipaddr.parseCIDR('64:ff9b::/96');

/** Tells which addresses may be called. */
export class AddressPolicy {
  private readonly names = new Set<string>();
  private readonly suffixes: string[] = [];
  private readonly ranges: [Address, number][] = [];
  private readonly literals = new Set<string>();

  constructor(private readonly rules: OutboundRules) {
    for (const host of rules.allowHosts) {
      if (host.includes('/')) this.ranges.push(ipaddr.parseCIDR(host));
      else if (ipaddr.isValid(host)) this.literals.add(ipaddr.process(host).toNormalizedString());
      else if (host.startsWith('*.')) this.suffixes.push(host.slice(1));
      else this.names.add(host);
    }
  }

  /** May this host be asked for its address at all? @param hostname as a URL has it: a name, or an address in its usual notation */
  allowsHost(hostname: string): boolean {
    const host = bare(hostname);
    if (ipaddr.isValid(host)) return this.allows(host, host);
    return this.rules.allowPrivate || this.lists(host) || !LOCAL_NAME.test(host);
  }

  /** May this address be called? @param hostname whose address it is */
  allows(address: string, hostname: string): boolean {
    const written = inHex(address);
    if (!ipaddr.isValid(written)) return false;
    const ip = meant(ipaddr.parse(written));
    if (ip === undefined) return false;
    const literal = ip.toNormalizedString();
    if (this.literals.has(literal)) return true;
    if (METADATA.has(literal) || NEVER.has(ip.range())) return false;
    if (isPublic(ip)) return true;
    if (this.lists(bare(hostname)) || this.ranges.some((range) => inRange(ip, range))) return true;
    return this.rules.allowPrivate && PRIVATE.has(ip.range());
  }

  private lists(name: string): boolean {
    return this.names.has(name) || this.suffixes.some((suffix) => name.endsWith(suffix));
  }
}

/** `::8.8.8.8` means `::808:808`; ipaddr.js would take it for `::ffff:8.8.8.8`. */
function inHex(address: string): string {
  const url = `http://[${address}]/`;
  return address.includes(':') && URL.canParse(url) ? bare(new URL(url).hostname) : address;
}

/** Lower case, without brackets and the dot at the end. */
function bare(hostname: string): string {
  return hostname
    .toLowerCase()
    .replace(/^\[(.*)\]$/, '$1')
    .replace(/\.$/, '');
}

/**
 * The address that is called in the end: IPv4 in the guise of IPv6 (RFC 4291, 2.5.5.2; RFC 6052, 2.1) is that IPv4 address.
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

/** IPv6 is given out from 2000::/3 only (RFC 4291, 2.4): what else ipaddr.js knows nothing against is compatible IPv4 and the like. */
function isPublic(ip: Address): boolean {
  if (ip.range() !== 'unicast') return false;
  return ip.kind() === 'ipv4' || ((ip as ipaddr.IPv6).parts[0] ?? 0) >> 13 === 1;
}

function inRange(ip: Address, [network, bits]: [Address, number]): boolean {
  return ip.kind() === network.kind() && ip.match(network, bits);
}
