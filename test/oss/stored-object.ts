import { createHash } from 'node:crypto';
import { OssFault } from './oss-fault.js';
import type { OssRequest } from './oss-request.js';

/** Headers of an upload that come back with every download. */
const KEPT_HEADERS = ['content-type', 'cache-control', 'content-disposition', 'content-encoding', 'expires'];

export interface StoredObject {
  bytes: Buffer;
  /** Upper-case hex MD5, in quotes, as OSS does. */
  etag: string;
  md5: Buffer;
  lastModified: Date;
  headers: Record<string, string>;
}

/** @throws OssFault where the bytes are not the ones announced */
export function toObject({ headers }: OssRequest, bytes: Buffer, now: number): StoredObject {
  const md5 = createHash('md5').update(bytes).digest();
  const announced = headers.get('content-md5');
  if (announced !== undefined && announced !== md5.toString('base64')) {
    throw new OssFault(400, 'InvalidDigest', 'The Content-MD5 you specified was invalid.');
  }
  const kept = [...headers].filter(([name]) => KEPT_HEADERS.includes(name) || name.startsWith('x-oss-meta-'));
  return {
    bytes,
    etag: `"${md5.toString('hex').toUpperCase()}"`,
    md5,
    lastModified: new Date(now),
    headers: Object.fromEntries(kept),
  };
}
