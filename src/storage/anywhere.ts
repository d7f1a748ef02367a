import { hasBucket } from './bucket.port.js';
import { StorageError } from './storage.error.js';
import type { ByteRange, FileStat, OpenFile, Storage } from './storage.port.js';

/** The local copy where there is one: no way to the bucket and back. @throws StorageError `file_not_found` where neither is there */
export async function statFile(storage: Storage, key: string): Promise<FileStat> {
  try {
    return await storage.stat(key);
  } catch (error) {
    if (!hasBucket(storage) || !isGone(error)) throw error;
    return storage.statRemote(key);
  }
}

/** As `statFile`. @throws RangeError for a range that holds no byte of the file */
export async function openFile(storage: Storage, key: string, range?: ByteRange): Promise<OpenFile> {
  try {
    return await storage.open(key, range);
  } catch (error) {
    if (!hasBucket(storage) || !isGone(error)) throw error;
    return storage.openRemote(key, range);
  }
}

function isGone(error: unknown): boolean {
  return error instanceof StorageError && error.code === 'file_not_found';
}
