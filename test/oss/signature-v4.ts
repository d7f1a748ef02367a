import { createHash, createHmac } from 'node:crypto';
import type { OssRequest } from './oss-request.js';

export const ALGORITHM = 'OSS4-HMAC-SHA256';

/** `20260305/cn-hangzhou/oss/aliyun_v4_request` */
export interface Scope {
  date: string;
  region: string;
}

/** What V4 hashes. @param additional lower-case names of further signed headers, sorted */
export function canonicalRequestV4(request: OssRequest, additional: readonly string[]): string {
  const { method, bucket, key, query, headers } = request;
  const path = key === '' && bucket === '' ? '/' : `/${bucket}/${key}`;
  const parameters = [...query]
    .filter(([name]) => name !== 'x-oss-signature')
    .map(([name, value]) => [encode(name), value ? `=${encode(value)}` : ''] as const)
    .sort(([a], [b]) => (a < b ? -1 : Number(a > b)))
    .map(([name, value]) => name + value);
  const signed = [...headers.keys()].filter(
    (name) =>
      name === 'content-type' ||
      name === 'content-md5' ||
      name.startsWith('x-oss-') ||
      additional.includes(name),
  );
  return [
    method,
    encode(path).replaceAll('%2F', '/'),
    parameters.join('&'),
    signed
      .sort()
      .map((name) => `${name}:${headers.get(name)}\n`)
      .join(''),
    additional.join(';'),
    headers.get('x-oss-content-sha256') ?? 'UNSIGNED-PAYLOAD',
  ].join('\n');
}

/** @param timestamp `20260305T060708Z` */
export function stringToSignV4(timestamp: string, { date, region }: Scope, canonicalRequest: string): string {
  const hash = createHash('sha256').update(canonicalRequest, 'utf8').digest('hex');
  return `${ALGORITHM}\n${timestamp}\n${date}/${region}/oss/aliyun_v4_request\n${hash}`;
}

export function signV4(secret: string, { date, region }: Scope, stringToSign: string): string {
  const key = [date, region, 'oss', 'aliyun_v4_request'].reduce<Buffer | string>(hmac, `aliyun_v4${secret}`);
  return hmac(key, stringToSign).toString('hex');
}

function hmac(key: Buffer | string, text: string): Buffer {
  return createHmac('sha256', key).update(text, 'utf8').digest();
}

/** RFC 3986: everything but letters, digits and `-._~`. */
function encode(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}
