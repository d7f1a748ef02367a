import type { FileLink } from '../storage.port.js';
import type { OssClient } from './oss-client.js';

/** V4 URLs live no longer (Aliyun documentation, EC 0002-00000232); ali-oss signs longer ones, which never work. */
export const V4_MAX_TTL_S = 604_800;

export interface SignRequest {
  method: 'GET' | 'HEAD';
  /** Whole seconds, > 0. */
  ttlSeconds: number;
}

/** URLs that OSS answers itself. */
export class OssSigner {
  constructor(
    /** Knows the host that callers reach. */
    private readonly client: OssClient,
    private readonly version: 'v4' | 'v1',
  ) {}

  /** With the version of the settings. @throws RangeError for a time that version cannot sign */
  sign(name: string, request: SignRequest): Promise<FileLink> {
    return this.version === 'v1' ? Promise.resolve(this.signV1(name, request)) : this.signV4(name, request);
  }

  /** @throws RangeError */
  signV1(name: string, { method, ttlSeconds }: SignRequest): FileLink {
    // ali-oss appends a text to the time of day and makes a URL for ever of it; of NaN and 0 it makes half an hour.
    const url = this.client.signatureUrl(name, { expires: wholeSeconds(ttlSeconds, 1e9), method });
    return { url, expiresAt: new Date(Number(new URL(url).searchParams.get('Expires')) * 1_000) };
  }

  /** @throws RangeError */
  async signV4(name: string, { method, ttlSeconds }: SignRequest): Promise<FileLink> {
    const seconds = wholeSeconds(ttlSeconds, V4_MAX_TTL_S);
    const url = await this.client.signatureUrlV4(method, seconds, {}, name);
    const signedAt = new URL(url).searchParams.get('x-oss-date') ?? '';
    const iso = signedAt.replace(/^(\d{4})(\d\d)(\d\dT\d\d)(\d\d)(\d\dZ)$/, '$1-$2-$3:$4:$5');
    return { url, expiresAt: new Date(Date.parse(iso) + seconds * 1_000) };
  }
}

function wholeSeconds(value: number, max: number): number {
  if (!Number.isSafeInteger(value) || value < 1 || value > max) {
    throw new RangeError(`A URL cannot be signed for ${value} s; accepted: a whole number from 1 to ${max}.`);
  }
  return value;
}
