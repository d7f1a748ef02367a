/** Where a bucket is, read from what people write into `OSS_ENDPOINT`. */
export interface OssEndpoint {
  protocol: 'https:' | 'http:';
  /** `host[:port]` without the bucket (the bound domain itself for `cname`): where uploads go. */
  host: string;
  /** The same as seen from outside Aliyun's network: what signed URLs must name. Equals `host` unless that is internal. */
  publicHost: string;
  /** How the bucket is named: before the host, by the host itself, or in the path (stand-ins on this machine only). */
  style: 'virtual' | 'cname' | 'path';
  /** Region id as V4 signatures want it, e.g. `cn-hangzhou`. Undefined only where none is needed (V1). */
  region: string | undefined;
  /** What was put right or is probably not meant; a sentence each. */
  warnings: string[];
}

export interface OssEndpointContext {
  bucket: string;
  /** `cn-hangzhou` or `oss-cn-hangzhou`. Wins over the one in the host: finance and government hosts sign under another id. */
  region?: string | undefined;
  /** Is the endpoint a domain bound to the bucket? Told from the host where undefined. */
  cname?: boolean | undefined;
  /** V1 signatures hold no region. @default 'v4' */
  signatureVersion?: 'v4' | 'v1' | undefined;
}

const ACCEPTED =
  'oss-cn-hangzhou.aliyuncs.com, oss-cn-hangzhou-internal.aliyuncs.com, or a domain bound to the bucket; https:// or http:// before it';

/** `oss-cn-hangzhou`, `vpc100-oss-cn-hangzhou`, `oss-cn-hangzhou-internal`, all under aliyuncs.com. */
const CLASSIC = /^(?:vpc100-)?oss-(?!accelerate)([a-z0-9-]+?)(-internal)?\.aliyuncs\.com$/;
/** `cn-hangzhou.oss.aliyuncs.com`: the dual-stack hosts. */
const DUAL_STACK = /^([a-z0-9-]+)\.oss(?:-internal)?\.aliyuncs\.com$/;
/** Hosts of OSS that name no region: `oss-accelerate…`, the old `oss.aliyuncs.com`. */
const REGIONLESS = /^oss(?:-accelerate(?:-overseas)?)?\.aliyuncs\.com$/;
const LOOPBACK = new Set(['localhost', '127.0.0.1', '[::1]']);

/**
 * Reads an endpoint of Aliyun OSS in the many ways people write one.
 * @throws Error whose message says what was read and what is accepted; never repeats credentials
 */
export function parseOssEndpoint(text: string, context: OssEndpointContext): OssEndpoint {
  const warnings: string[] = [];
  const { bucket } = context;
  // Aliyun documentation: 3–63 characters, lower-case letters, digits and hyphens, no hyphen at either end.
  if (!/^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$/.test(bucket)) {
    throw new Error(
      `read the bucket ${JSON.stringify(bucket)}, which is not a bucket name; accepted: 3 to 63 lower-case letters, digits and hyphens`,
    );
  }
  const url = toUrl(expandRegion(unquote(text), warnings));
  if (url.protocol === 'http:')
    warnings.push('http:// sends files and signed requests unencrypted; https:// is safer.');
  const place = locate(url, context, warnings);
  const region = chooseRegion(place, url, context, warnings);
  return {
    protocol: url.protocol as OssEndpoint['protocol'],
    host: place.hostname + portOf(url),
    publicHost: toPublic(place.hostname) + portOf(url),
    style: place.style,
    region,
    warnings,
  };
}

interface Place {
  hostname: string;
  style: OssEndpoint['style'];
  region: string | undefined;
}

/** Values pasted from consoles and compose files bring spaces, line ends and quotes along. */
function unquote(text: string): string {
  const value = text
    .trim()
    .replace(/^(["'])(.*)\1$/s, '$2')
    .trim();
  if (value === '') refuse('', 'is empty');
  return value;
}

/** `cn-hangzhou` and `oss-cn-hangzhou` are regions, not hosts. */
function expandRegion(value: string, warnings: string[]): string {
  const region = /^(?:oss-)?([a-z]{2}(?:-[a-z0-9]+)+)$/i.exec(value)?.[1];
  if (region === undefined) return value;
  const host = `oss-${region.toLowerCase()}.aliyuncs.com`;
  warnings.push(`${value} is a region; taken as ${host}.`);
  return host;
}

function toUrl(value: string): URL {
  const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(value)?.[1]?.toLowerCase();
  if (scheme !== undefined && scheme !== 'http' && scheme !== 'https')
    refuse(value, `has the scheme ${scheme}://`);
  let url: URL;
  try {
    url = new URL(scheme === undefined ? `https://${value}` : value);
  } catch {
    return refuse(value, 'is not a host');
  }
  if (url.username !== '' || url.password !== '') refuse(value, 'holds credentials');
  if (url.search !== '' || url.hash !== '') refuse(value, 'has a query');
  if (!/^\/*$/.test(url.pathname)) refuse(value, 'has a path (the folder belongs into OSS_BASE_PATH)');
  if (!/^(\[[0-9a-f:.]+\]|[a-z0-9_.-]+)$/.test(url.hostname)) refuse(value, 'is not a host');
  return url;
}

function locate(url: URL, { bucket, cname }: OssEndpointContext, warnings: string[]): Place {
  const hostname = url.hostname.replace(/\.$/, '');
  if (LOOPBACK.has(hostname)) {
    warnings.push('this machine is no Aliyun endpoint; taken as a stand-in, the bucket goes into the path.');
    // ali-oss 6.23 refuses to sign for an IP address.
    return { hostname: 'localhost', style: 'path', region: undefined };
  }
  if (/^\[|^[\d.]+$/.test(hostname)) refuse(url.host, 'is an IP address, for which no URL can be signed');
  if (!hostname.endsWith('.aliyuncs.com')) {
    return { hostname, style: (cname ?? true) ? 'cname' : 'virtual', region: undefined };
  }
  const host = withoutS3(withoutBucket(hostname, bucket, cname === true ? [] : warnings), warnings);
  const region = CLASSIC.exec(host)?.[1] ?? DUAL_STACK.exec(host)?.[1];
  if (region === undefined && !REGIONLESS.test(host)) refuse(url.host, explainStranger(host, bucket));
  return cname === true ? { hostname, style: 'cname', region } : { hostname: host, style: 'virtual', region };
}

function withoutBucket(hostname: string, bucket: string, warnings: string[]): string {
  // A bucket may be called like a region: `cn-hangzhou.oss.aliyuncs.com` is an endpoint as it stands.
  if (!hostname.startsWith(`${bucket}.`) || DUAL_STACK.test(hostname)) return hostname;
  const host = hostname.slice(bucket.length + 1);
  warnings.push(`the bucket belongs into OSS_BUCKET_NAME only; taken as ${host}.`);
  return host;
}

function withoutS3(hostname: string, warnings: string[]): string {
  if (!hostname.startsWith('s3.')) return hostname;
  const host = hostname.slice(3);
  warnings.push(`${hostname} speaks S3, not OSS; taken as ${host}.`);
  return host;
}

function explainStranger(host: string, bucket: string): string {
  const [first = '', ...rest] = host.split('.');
  return CLASSIC.test(rest.join('.'))
    ? `names the bucket ${first}, while OSS_BUCKET_NAME is ${bucket}`
    : 'is under aliyuncs.com, but is no endpoint of OSS';
}

function chooseRegion(
  place: Place,
  url: URL,
  { region, signatureVersion = 'v4' }: OssEndpointContext,
  warnings: string[],
): string | undefined {
  const given = region?.trim().toLowerCase().replace(/^oss-/, '');
  if (given !== undefined && given !== '') {
    if (!/^[a-z0-9][a-z0-9-]*$/.test(given)) {
      throw new Error(
        `read the region ${JSON.stringify(region)}, which is not one; accepted: e.g. cn-hangzhou`,
      );
    }
    if (place.region !== undefined && place.region !== given) {
      warnings.push(`the host says region ${place.region}, OSS_REGION says ${given}; OSS_REGION is used.`);
    }
    return given;
  }
  if (place.region === undefined && signatureVersion === 'v4') {
    refuse(url.host, 'does not tell its region, which V4 signatures hold: set OSS_REGION, e.g. cn-hangzhou');
  }
  return place.region;
}

function toPublic(hostname: string): string {
  if (!hostname.endsWith('.aliyuncs.com')) return hostname;
  return hostname
    .replace(/(^|\.)vpc100-oss-/, '$1oss-')
    .replace(/-internal\.aliyuncs\.com$/, '.aliyuncs.com');
}

function portOf(url: URL): string {
  return url.port === '' ? '' : `:${url.port}`;
}

function refuse(value: string, why: string): never {
  const shown = value.replace(/^([a-z][a-z0-9+.-]*:\/\/)?.*@/i, '$1…@').replace(/\?.*$/s, '?…');
  throw new Error(`read ${JSON.stringify(shown)}, which ${why}; accepted: ${ACCEPTED}`);
}
