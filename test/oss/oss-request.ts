import type { IncomingHttpHeaders } from 'node:http';
import { OssFault } from './oss-fault.js';

/** A request with everything decoded, once. */
export interface OssRequest {
  method: string;
  /** As it arrived, lower case. */
  host: string;
  bucket: string;
  /** Without the leading slash; empty for the bucket itself. */
  key: string;
  /** In the order of arrival. `undefined` where there was no `=`. */
  query: ReadonlyMap<string, string | undefined>;
  /** Lower-case names, trimmed values. */
  headers: ReadonlyMap<string, string>;
}

/** Which hosts lead to which bucket. */
export interface HostRules {
  /** `<bucket>.<one of these>`. */
  baseHosts: readonly string[];
  /** Domain → bucket. */
  cnames: ReadonlyMap<string, string>;
  /** Hosts where the bucket is the first part of the path. */
  pathStyleHosts: readonly string[];
}

/** @throws OssFault where the host leads nowhere */
export function parseRequest(
  method: string,
  target: string,
  rawHeaders: IncomingHttpHeaders,
  rules: HostRules,
): OssRequest {
  const headers = new Map<string, string>();
  for (const [name, value] of Object.entries(rawHeaders)) {
    if (value !== undefined) headers.set(name, (Array.isArray(value) ? value.join(', ') : value).trim());
  }
  const [rawPath, rawQuery = ''] = splitOnce(target, '?');
  const path = decode(rawPath).slice(1);
  const query = new Map<string, string | undefined>();
  for (const part of rawQuery.split('&').filter(Boolean)) {
    const [name, value] = splitOnce(part, '=');
    query.set(decode(name), value === undefined ? undefined : decode(value));
  }
  const host = (headers.get('host') ?? '').toLowerCase();
  return { method, host, ...locate(host.replace(/:\d+$/, ''), path, rules), query, headers };
}

function locate(hostname: string, path: string, rules: HostRules): { bucket: string; key: string } {
  const bound = rules.cnames.get(hostname);
  if (bound !== undefined) return { bucket: bound, key: path };
  if (rules.pathStyleHosts.includes(hostname)) {
    const [bucket, key = ''] = splitOnce(path, '/');
    return { bucket, key };
  }
  for (const base of rules.baseHosts) {
    if (hostname.endsWith(`.${base}`)) return { bucket: hostname.slice(0, -base.length - 1), key: path };
    if (hostname === base && path !== '') {
      throw new OssFault(
        403,
        'SecondLevelDomainForbidden',
        'The bucket you are attempting to access must be addressed using OSS third level domain.',
      );
    }
  }
  throw new OssFault(400, 'InvalidBucketName', `The host ${hostname} names no bucket.`);
}

/** A `+` stays a plus: this is no form. */
function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new OssFault(400, 'InvalidURI', 'Could not parse the specified URI.');
  }
}

function splitOnce(text: string, separator: string): [string, string | undefined] {
  const at = text.indexOf(separator);
  return at === -1 ? [text, undefined] : [text.slice(0, at), text.slice(at + separator.length)];
}
