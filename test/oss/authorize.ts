import { timingSafeEqual } from 'node:crypto';
import { OssFault } from './oss-fault.js';
import type { OssRequest } from './oss-request.js';
import { signV1, stringToSignV1 } from './signature-v1.js';
import { ALGORITHM, canonicalRequestV4, type Scope, signV4, stringToSignV4 } from './signature-v4.js';

export interface AccessKey {
  id: string;
  secret: string;
  /** Of temporary credentials: has to come with every request. */
  securityToken?: string;
}

export interface Authority {
  keys: readonly AccessKey[];
  /** `cn-hangzhou`. */
  region: string;
  /** Milliseconds since 1970. */
  now: () => number;
  /** Refuse V1, as for accounts and buckets made since 2025. What OSS answers then is assumed. */
  v1Disabled: boolean;
}

export type Scheme = 'v1-header' | 'v1-query' | 'v4-header' | 'v4-query' | 'anonymous';

const SKEW_MS = 15 * 60_000;
const SEVEN_DAYS_S = 604_800;

export function schemeOf({ query, headers }: OssRequest): Scheme {
  const authorization = headers.get('authorization');
  if (query.has('x-oss-signature') || query.has('x-oss-signature-version')) return 'v4-query';
  if (query.has('Signature') || query.has('OSSAccessKeyId')) return 'v1-query';
  if (authorization === undefined) return 'anonymous';
  return authorization.startsWith(ALGORITHM) ? 'v4-header' : 'v1-header';
}

/**
 * Checks a signature as OSS does: form, key id, time, signature, token, in this order (documented for V1 URLs only).
 * @throws OssFault
 */
export function authorize(request: OssRequest, authority: Authority): void {
  const scheme = schemeOf(request);
  if (scheme.endsWith('query') && request.headers.has('authorization')) {
    throw new OssFault(400, 'InvalidArgument', 'Only one auth mechanism is allowed.', '0002-00000039');
  }
  if (scheme.startsWith('v1') && authority.v1Disabled) {
    throw new OssFault(403, 'AccessDenied', 'Signature version 1 is not allowed for this bucket.');
  }
  switch (scheme) {
    case 'v1-header':
      return authorizeV1Header(request, authority);
    case 'v1-query':
      return authorizeV1Query(request, authority);
    case 'v4-header':
      return authorizeV4Header(request, authority);
    case 'v4-query':
      return authorizeV4Query(request, authority);
    case 'anonymous':
      throw new OssFault(
        403,
        'AccessDenied',
        'You have no right to access this object because of bucket acl.',
      );
  }
}

function authorizeV1Header(request: OssRequest, authority: Authority): void {
  const [, id = '', signature = ''] =
    /^OSS ([^:]+):(.+)$/.exec(request.headers.get('authorization') ?? '') ?? [];
  if (id === '') throw malformed();
  const key = findKey(id, authority);
  const date = request.headers.get('x-oss-date') ?? request.headers.get('date') ?? '';
  checkSkew(Date.parse(date), authority);
  const text = stringToSignV1(request, date);
  compare(signV1(key.secret, text), signature, { key, text });
  checkToken(key, request.headers.get('x-oss-security-token'));
}

function authorizeV1Query(request: OssRequest, authority: Authority): void {
  const { query } = request;
  const key = findKey(query.get('OSSAccessKeyId') ?? '', authority);
  const expires = query.get('Expires') ?? '';
  if (!/^\d+$/.test(expires))
    throw new OssFault(403, 'AccessDenied', 'Invalid date (should be seconds since epoch)', '0002-00000070');
  if (authority.now() > Number(expires) * 1_000)
    throw expired(Number(expires) * 1_000, authority, '0002-00000069');
  const text = stringToSignV1(request, expires);
  compare(signV1(key.secret, text), query.get('Signature') ?? '', { key, text });
  checkToken(key, query.get('security-token'));
}

function authorizeV4Header(request: OssRequest, authority: Authority): void {
  const form =
    /^OSS4-HMAC-SHA256 Credential=([^,\s]+),\s*(?:AdditionalHeaders=([^,\s]*),\s*)?Signature=([0-9a-f]+)$/;
  const [, credential = '', additional, signature = ''] =
    form.exec(request.headers.get('authorization') ?? '') ?? [];
  if (credential === '' || request.headers.get('x-oss-content-sha256') !== 'UNSIGNED-PAYLOAD')
    throw malformed();
  const { key, scope } = readCredential(credential, authority);
  const timestamp = request.headers.get('x-oss-date') ?? '';
  checkSkew(parseTimestamp(timestamp), authority);
  verifyV4(request, { key, scope, timestamp, additional, signature });
  checkToken(key, request.headers.get('x-oss-security-token'));
}

function authorizeV4Query(request: OssRequest, authority: Authority): void {
  const { query } = request;
  if (query.get('x-oss-signature-version') !== ALGORITHM) throw malformed();
  const expires = query.get('x-oss-expires') ?? '';
  if (!/^\d{1,9}$/.test(expires) || Number(expires) < 1 || Number(expires) > SEVEN_DAYS_S) {
    throw new OssFault(
      400,
      'InvalidArgument',
      'x-oss-expires must be between 1 and 604800 seconds.',
      '0002-00000232',
    );
  }
  const { key, scope } = readCredential(query.get('x-oss-credential') ?? '', authority);
  const timestamp = query.get('x-oss-date') ?? '';
  const from = parseTimestamp(timestamp);
  if (Number.isNaN(from)) throw malformed();
  const until = from + Number(expires) * 1_000;
  if (authority.now() > until) throw expired(until, authority, '0002-00000236');
  if (authority.now() < from - SKEW_MS)
    throw new OssFault(403, 'AccessDenied', 'Request is not valid yet.', '0002-00000235');
  const additional = query.get('x-oss-additional-headers');
  verifyV4(request, { key, scope, timestamp, additional, signature: query.get('x-oss-signature') ?? '' });
  checkToken(key, query.get('x-oss-security-token'));
}

interface ClaimV4 {
  key: AccessKey;
  scope: Scope;
  timestamp: string;
  additional: string | undefined;
  signature: string;
}

function verifyV4(request: OssRequest, { key, scope, timestamp, additional, signature }: ClaimV4): void {
  if (!timestamp.startsWith(`${scope.date}T`)) throw malformed();
  const names = additional ? additional.toLowerCase().split(';').sort() : [];
  const canonical = canonicalRequestV4(request, names);
  const text = stringToSignV4(timestamp, scope, canonical);
  compare(signV4(key.secret, scope, text), signature, { key, text, canonical });
}

function readCredential(credential: string, authority: Authority): { key: AccessKey; scope: Scope } {
  const [id = '', date = '', region = '', product, request, ...rest] = credential.split('/');
  if (!/^\d{8}$/.test(date) || request !== 'aliyun_v4_request' || rest.length > 0) throw malformed();
  if (region !== authority.region) {
    throw new OssFault(
      400,
      'InvalidArgument',
      'Invalid signing region in Authorization header.',
      '0002-00000226',
    );
  }
  if (product !== 'oss')
    throw new OssFault(400, 'InvalidArgument', 'Invalid signing product.', '0002-00000227');
  return { key: findKey(id, authority), scope: { date, region } };
}

function findKey(id: string, { keys }: Authority): AccessKey {
  const key = keys.find((known) => known.id === id);
  if (key !== undefined) return key;
  throw new OssFault(
    403,
    'InvalidAccessKeyId',
    'The OSS Access Key Id you provided does not exist in our records.',
    undefined,
    {
      OSSAccessKeyId: id,
    },
  );
}

function checkSkew(date: number, { now }: Authority): void {
  if (Number.isNaN(date))
    throw new OssFault(403, 'AccessDenied', 'OSS authentication requires a valid Date.');
  if (Math.abs(now() - date) <= SKEW_MS) return;
  throw new OssFault(
    403,
    'RequestTimeTooSkewed',
    'The difference between the request time and the current time is too large.',
    undefined,
    {
      ServerTime: new Date(now()).toISOString(),
    },
  );
}

function expired(until: number, { now }: Authority, ec: string): OssFault {
  return new OssFault(403, 'AccessDenied', 'Request has expired.', ec, {
    Expires: new Date(until).toISOString(),
    ServerTime: new Date(now()).toISOString(),
  });
}

function compare(
  expected: string,
  given: string,
  { key, text, canonical }: { key: AccessKey; text: string; canonical?: string },
): void {
  const [a, b] = [Buffer.from(expected), Buffer.from(given)];
  if (a.length === b.length && timingSafeEqual(a, b)) return;
  const message =
    'The request signature we calculated does not match the signature you provided. Check your key and signing method.';
  throw new OssFault(403, 'SignatureDoesNotMatch', message, undefined, {
    OSSAccessKeyId: key.id,
    SignatureProvided: given,
    StringToSign: text,
    StringToSignBytes: Buffer.from(text).toString('hex').replace(/../g, '$& ').trim(),
    ...(canonical === undefined ? {} : { CanonicalRequest: canonical }),
  });
}

function checkToken({ securityToken }: AccessKey, given: string | undefined): void {
  if (securityToken === given) return;
  throw new OssFault(403, 'InvalidSecurityToken', 'The security token you provided is invalid.');
}

function parseTimestamp(text: string): number {
  const match = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(text);
  return match === null ? Number.NaN : Date.parse(text.replace(/^(....)(..)(..T..)(..)/, '$1-$2-$3:$4:'));
}

function malformed(): OssFault {
  return new OssFault(400, 'InvalidArgument', 'Authorization header is invalid.', '0002-00000202');
}
