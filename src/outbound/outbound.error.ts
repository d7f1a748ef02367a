/**
 * `not_allowed`: the URL, or an address it leads to, is none that this server may call. `unreachable`: no connection, no such
 * name, or broken off. `timeout`: too slow. `redirects`: too many, or one where none is followed. `status`: answered, but not
 * with a success. `too_large`: more bytes than wanted.
 */
export type OutboundErrorCode =
  'not_allowed' | 'unreachable' | 'timeout' | 'redirects' | 'status' | 'too_large';

/** Why a URL that a caller named could not be called. */
export class OutboundError extends Error {
  override readonly name = 'OutboundError';

  constructor(
    readonly code: OutboundErrorCode,
    /** For the caller: it never tells an address that a name has, nor what was answered there. */
    message: string,
    /** Of the answer, where there was one. */
    readonly status?: number,
    cause?: unknown,
  ) {
    super(message, cause === undefined ? undefined : { cause });
  }

  /** May the same call succeed a little later? */
  get retryable(): boolean {
    if (this.code === 'status') return this.status === 429 || (this.status ?? 0) >= 500;
    return this.code === 'unreachable' || this.code === 'timeout';
  }
}
