import pLimit from 'p-limit';
import { type Storage, statFile } from '../../storage/index.js';
import type { Bundle, BundleFormat } from './bundle.types.js';
import { uniqueNames } from './file-names.js';
import { FilesInTurn } from './files-in-turn.js';
import { multipartOf } from './multipart.js';
import { zipOf } from './zip.js';

/** Files that are looked at before the first byte is sent, at the same time: they may be in a bucket. */
const LOOKS_AT_ONCE = 8;

/**
 * Packs stored files, each opened when its turn comes, none held in memory.
 * @param files `name` is what the file was called where it was made
 * @param madeAt the time that is written beside each, so that the same files make the same bundle
 * @throws StorageError where one is gone, before anything is sent
 */
export async function bundle(
  storage: Storage,
  format: BundleFormat,
  files: readonly { key: string; name: string }[],
  madeAt: Date,
): Promise<Bundle> {
  const limit = pLimit(LOOKS_AT_ONCE);
  const stats = await Promise.all(files.map(({ key }) => limit(() => statFile(storage, key))));
  const names = uniqueNames(files);
  const bundled = stats.map(({ key, size, contentType }, index) => ({
    key,
    size,
    contentType,
    name: names[index] ?? key,
  }));
  const turns = new FilesInTurn(storage);
  return format === 'zip' ? zipOf(bundled, turns, madeAt) : multipartOf(bundled, turns);
}
