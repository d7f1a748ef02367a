import ipaddr from 'ipaddr.js';
import { isPublic, readAddress } from './address.js';
import { AllowList } from './allow-list.js';
import type { OutboundRules } from './outbound.js';
import type { OwnServers } from './own-servers.js';
import { bare, type Target } from './target.js';

/**
 * Where clouds tell machines their secrets, to whoever asks: AWS, Azure, Google and others (the first), Tencent, AWS's containers and IPv6,
 * Google's and Scaleway's IPv6, Aliyun, Oracle, and Azure's own address, which is of the public internet.
 */
const METADATA = new Set(
  [
    '169.254.169.254',
    '169.254.0.23',
    '169.254.170.2',
    '169.254.170.23',
    'fd00:ec2::254',
    'fd00:ec2::23',
    'fd20:ce::254',
    'fd00:42::42',
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
const LOCALHOST = /(^|\.)localhost$/;

/** Tells which addresses may be called. */
export class AddressPolicy {
  private readonly list: AllowList;

  constructor(
    private readonly rules: OutboundRules,
    private readonly own: OwnServers,
  ) {
    this.list = new AllowList(rules.allowHosts);
  }

  /** May this host be asked for its address at all? */
  allowsHost(target: Target): boolean {
    const host = bare(target.hostname);
    if (ipaddr.isValid(host)) return this.allows(host, target);
    if (this.own.names(target)) return false;
    if (LOCALHOST.test(host) && this.own.includes(ipaddr.parse('127.0.0.1'), target)) return false;
    return this.rules.allowPrivate || this.list.listsName(target) || !LOCAL_NAME.test(host);
  }

  /** May this address be called? @param target whose address it is */
  allows(address: string, target: Target): boolean {
    const ip = readAddress(address);
    if (ip === undefined || METADATA.has(ip.toNormalizedString()) || NEVER.has(ip.range())) return false;
    if (this.own.includes(ip, target)) return false;
    if (isPublic(ip) || this.list.opens(ip, target)) return true;
    return this.rules.allowPrivate && PRIVATE.has(ip.range());
  }
}
