import type { Readable } from 'node:stream';
import { ZipFile } from 'yazl';
import type { Bundle, BundledFile } from './bundle.types.js';
import type { FilesInTurn } from './files-in-turn.js';

/** A regular file that everybody may read. */
const MODE = 0o100644;

/** Stored as they are: pictures and videos are compressed already. Beyond 4 GB it is a ZIP64. */
export async function zipOf(
  files: readonly BundledFile[],
  turns: FilesInTurn,
  madeAt: Date,
): Promise<Bundle> {
  const zip = new ZipFile();
  const stream = zip.outputStream as Readable;
  const fail = (error: unknown) => void stream.destroy(error as Error);
  zip.on('error', fail);
  stream.once('close', () => turns.close());
  const hand = async (key: string, go: (error: unknown, source: Readable) => void) => {
    try {
      const source = await turns.open(key);
      source.once('error', fail);
      go(null, source);
    } catch (error) {
      fail(error);
    }
  };
  for (const { key, name, size } of files) {
    zip.addReadStreamLazy(name, { size, compress: false, mtime: madeAt, mode: MODE }, (go) => {
      void hand(key, go);
    });
  }
  const size = await new Promise<number>((resolve) => {
    // It does call with the size; its types do not say so.
    (zip.end as (options: undefined, known: (size: number) => void) => void).call(zip, undefined, resolve);
  });
  return { stream, size, contentType: 'application/zip' };
}
