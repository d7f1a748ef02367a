/** Stable codes, part of the API. */
export type StorageErrorCode = 'storage_error' | 'storage_full' | 'file_not_found';

/** Finer cause, for logs and for whoever decides about a retry; not part of the API. */
export type StorageErrorReason =
  | 'auth'
  | 'forbidden'
  | 'clock_skew'
  | 'config'
  | 'no_bucket'
  | 'not_found'
  | 'integrity'
  | 'empty'
  | 'too_large'
  | 'full'
  | 'read_only'
  | 'throttled'
  | 'unavailable'
  | 'timeout'
  | 'unknown';

/**
 * A storage failure in our own words: nothing of the failed request is kept, because an error of ali-oss carries the
 * whole picture (`err.params.content`) and upstream bodies.
 */
export class StorageError extends Error {
  override readonly name = 'StorageError';

  constructor(
    readonly code: StorageErrorCode,
    readonly reason: StorageErrorReason,
    message: string,
    /** May the same call succeed a little later? */
    readonly retryable: boolean = false,
    /** What a log line may say beyond the message: provider's code, status and request id. */
    readonly diagnosis: Readonly<Record<string, string | number>> = {},
  ) {
    super(message);
  }
}
