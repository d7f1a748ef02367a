import { StorageError, type StorageErrorReason } from '../storage.error.js';

/** What ali-oss throws, as far as it can be trusted. `params` and `res`, which hold the whole file, are not looked at. */
interface OssErrorLike {
  name?: unknown;
  code?: unknown;
  status?: unknown;
  requestId?: unknown;
  ecCode?: unknown;
  message?: unknown;
}

const REASON_BY_CODE: ReadonlyMap<string, StorageErrorReason> = new Map<string, StorageErrorReason>([
  ['InvalidAccessKeyId', 'auth'],
  ['SignatureDoesNotMatch', 'auth'],
  ['InvalidSecurityToken', 'auth'],
  ['SecurityTokenExpired', 'auth'],
  ['AccessKeyIdAndSecurityTokenNotMatch', 'auth'],
  ['RequestTimeTooSkewed', 'clock_skew'],
  ['PermanentRedirect', 'config'],
  ['SecondLevelDomainForbidden', 'config'],
  ['InvalidBucketName', 'config'],
  ['NoSuchBucket', 'no_bucket'],
  ['NoSuchKey', 'not_found'],
  ['InvalidDigest', 'integrity'],
  ['EntityTooLarge', 'too_large'],
]);

/** These reach callers: no hosts, buckets, keys or upstream texts. */
const MESSAGES: Readonly<Record<StorageErrorReason, string>> = {
  auth: 'OSS refuses the access key: check OSS_ACCESS_KEY_ID and OSS_ACCESS_KEY_SECRET.',
  forbidden: 'OSS does not allow this: the access key needs oss:PutObject and oss:GetObject for the folder.',
  clock_skew: 'OSS refuses requests because the clock of this server is wrong.',
  config: 'OSS does not take requests like this: check OSS_ENDPOINT, OSS_REGION and OSS_BUCKET_NAME.',
  no_bucket: 'OSS knows no such bucket: check OSS_BUCKET_NAME and OSS_ENDPOINT.',
  not_found: 'There is no such file.',
  integrity: 'OSS did not confirm that it stored the very bytes that were sent.',
  empty: 'The file is empty.',
  too_large: 'The file is larger than OSS takes.',
  full: 'OSS has no room for the file.',
  read_only: 'OSS does not take files now.',
  throttled: 'OSS has too much to do.',
  unavailable: 'OSS cannot be reached, or does not work now.',
  timeout: 'OSS did not answer in time.',
  unknown: 'OSS refused the request.',
};

const RETRYABLE = new Set<StorageErrorReason>(['throttled', 'unavailable', 'timeout', 'integrity']);

/** What happened, in our own words; nothing of the request is kept. A StorageError is handed through. */
export function fromOssError(error: unknown): StorageError {
  if (error instanceof StorageError) return error;
  const facts = (error ?? {}) as OssErrorLike;
  const { name, code, status, requestId, ecCode, message } = facts;
  return ossError(reasonOf(facts), {
    ...textEntry('code', code ?? name),
    ...(typeof status === 'number' ? { status } : {}),
    ...textEntry('requestId', requestId),
    ...textEntry('ec', ecCode),
    ...textEntry('said', shortened(message)),
  });
}

export function ossError(
  reason: StorageErrorReason,
  diagnosis: Record<string, string | number> = {},
): StorageError {
  const code = reason === 'not_found' ? 'file_not_found' : 'storage_error';
  return new StorageError(code, reason, MESSAGES[reason], RETRYABLE.has(reason), diagnosis);
}

function reasonOf({ name, code, status, message }: OssErrorLike): StorageErrorReason {
  // Has neither status nor code (seen with ali-oss 6.23).
  if (name === 'ResponseTimeoutError') return 'timeout';
  // -1: refused, reset, DNS. -2: no connection in time, or no free socket.
  if (status === -1 || status === -2) return 'unavailable';
  if (typeof code === 'string') {
    const known = REASON_BY_CODE.get(code);
    if (known !== undefined) return known;
    // Refused because of the region, or because another endpoint has to be used.
    if (status === 400 && /signing region|specified endpoint/i.test(String(message))) return 'config';
  }
  if (status === 429 || status === 503) return 'throttled';
  if (typeof status === 'number' && status >= 500) return 'unavailable';
  if (status === 403) return /specified endpoint/i.test(String(message)) ? 'config' : 'forbidden';
  if (status === 400 || status === 301 || status === 307) return 'config';
  if (status === 413) return 'too_large';
  return 'unknown';
}

/** ali-oss appends the raw body, urllib the URL and the state of its agent. */
function shortened(message: unknown): string | undefined {
  if (typeof message !== 'string') return undefined;
  const [start = ''] = message.split(/\n?raw xml|, (?:PUT|GET|HEAD) https?:|\n/);
  // A parser's complaint about a page that is not XML quotes the page.
  return /tag|char|entity|xml/i.test(start) ? undefined : start.slice(0, 200);
}

function textEntry(key: string, value: unknown): Record<string, string> {
  return typeof value === 'string' && value !== '' ? { [key]: value.slice(0, 200) } : {};
}
