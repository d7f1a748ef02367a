import { createHmac, timingSafeEqual } from 'node:crypto';
import { FILES_ROUTE } from '../routes.js';
import type { LinkSecret } from '../storage.options.js';
import type { FileLink } from '../storage.port.js';

/** The query of a link, as it came: nothing is known of it. */
export interface LinkQuery {
  /** Expiry, in seconds since 1970. */
  e?: unknown;
  /** Id of the secret. */
  k?: unknown;
  /** Signature, base64url. */
  s?: unknown;
}

export type LinkVerdict = { kind: 'valid'; expiresAt: Date } | { kind: 'expired' } | { kind: 'invalid' };

export interface FileLinksOptions {
  /** At least one; the first signs, all are good. */
  secrets: readonly LinkSecret[];
  /** Put before links; they are relative without it. No trailing slash. */
  publicBaseUrl?: string | undefined;
  /** How long links live, in seconds. */
  ttlSeconds: number;
}

/**
 * Links of ours, `/files/<key>?e=<expiry>&k=<secret id>&s=<HMAC-SHA256>`: good until they expire, whatever happens to
 * the keys of the bucket meanwhile. One link is good for GET and HEAD.
 */
export class FileLinks {
  /** A Map, because `k=__proto__` is a member of every object. */
  private readonly secrets: ReadonlyMap<string, string>;
  private readonly signer: LinkSecret;

  /** @throws Error where there is no secret or no sensible time to live */
  constructor(private readonly options: FileLinksOptions) {
    const [signer] = options.secrets;
    if (signer === undefined) throw new Error('Links cannot be signed without a secret (LINK_SECRETS).');
    if (!Number.isSafeInteger(options.ttlSeconds) || options.ttlSeconds < 1 || options.ttlSeconds > 1e9) {
      throw new Error(
        `Links cannot live ${options.ttlSeconds} s; accepted: a whole number from 1 to 1000000000.`,
      );
    }
    this.signer = signer;
    this.secrets = new Map(options.secrets.map(({ id, secret }) => [id, secret]));
  }

  /** @param key one that came from the storage: it goes into the URL as it is */
  sign(key: string): FileLink {
    const expiry = Math.floor(Date.now() / 1_000) + this.options.ttlSeconds;
    const { id, secret } = this.signer;
    const query = `e=${expiry}&k=${id}&s=${digest(secret, key, expiry, id).toString('base64url')}`;
    return {
      url: `${this.options.publicBaseUrl ?? ''}${FILES_ROUTE}/${key}?${query}`,
      expiresAt: new Date(expiry * 1_000),
    };
  }

  /** Is this a link of ours, and is it still good? Only who holds a true link learns that it has expired. */
  verify(key: string, { e, k, s }: LinkQuery): LinkVerdict {
    if (typeof e !== 'string' || typeof k !== 'string' || typeof s !== 'string') return { kind: 'invalid' };
    const secret = this.secrets.get(k);
    if (secret === undefined || !/^\d{1,12}$/.test(e) || !/^[A-Za-z0-9_-]{43}$/.test(s))
      return { kind: 'invalid' };
    // As text: `e=007` was never signed.
    if (!timingSafeEqual(digest(secret, key, e, k), Buffer.from(s, 'base64url'))) return { kind: 'invalid' };
    const expiresAt = new Date(Number(e) * 1_000);
    return expiresAt.getTime() > Date.now() ? { kind: 'valid', expiresAt } : { kind: 'expired' };
  }
}

function digest(secret: string, key: string, expiry: number | string, id: string): Buffer {
  return createHmac('sha256', secret).update(`GET\n${key}\n${expiry}\n${id}`).digest();
}
