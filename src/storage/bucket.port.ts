import type { FileLink, FileStat, OpenFile, Storage } from './storage.port.js';

/** What a storage can do besides where there is a bucket behind it. */
export interface BucketFiles {
  /** How links of ours are answered: by sending the reader to the bucket, or with the bytes. */
  readonly delivery: 'redirect' | 'stream';

  /** A URL that the bucket answers itself, good for one method. @param ttlSeconds 1 to 604800 */
  presign(key: string, request: { method: 'GET' | 'HEAD'; ttlSeconds: number }): Promise<FileLink>;

  /** @throws StorageError `file_not_found` · `storage_error` */
  statRemote(key: string): Promise<FileStat>;

  /**
   * The bytes from the bucket. A connection that breaks ends the stream with an error, never with a clean end.
   * @throws StorageError `file_not_found` · `storage_error`
   */
  openRemote(key: string, range?: { start: number; end: number }): Promise<OpenFile>;
}

export function hasBucket(storage: Storage): storage is Storage & BucketFiles {
  return 'presign' in storage && 'openRemote' in storage;
}
