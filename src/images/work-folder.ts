import { createWriteStream } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';

/** Where an image is: the path of a file, or how to get its bytes, which are read once. */
export type ImageSource = string | (() => Readable | Promise<Readable>);

/** Runs `work` with a new folder under the system's for temporary files; it is gone afterwards. */
export async function inWorkFolder<T>(work: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'comfy-images-'));
  try {
    return await work(folder);
  } finally {
    await rm(folder, { recursive: true, force: true }).catch(() => undefined);
  }
}

/** The image as a file: what decodes it reads here and there, and would keep a stream in memory as a whole. */
export async function asFile(source: ImageSource, folder: string, signal: AbortSignal): Promise<string> {
  if (typeof source === 'string') return source;
  const path = join(folder, 'source');
  await pipeline(await opened(source, signal), createWriteStream(path), { signal });
  return path;
}

/** A stream that comes after all when nobody waits for it any more is closed. */
async function opened(source: Exclude<ImageSource, string>, signal: AbortSignal): Promise<Readable> {
  signal.throwIfAborted();
  const opening = Promise.resolve(source());
  let abort: (() => void) | undefined;
  try {
    return await new Promise<Readable>((resolve, reject) => {
      abort = () => {
        reject(signal.reason as Error);
        opening.then((body) => body.destroy()).catch(() => undefined);
      };
      signal.addEventListener('abort', abort, { once: true });
      opening.then(resolve, reject);
    });
  } finally {
    if (abort !== undefined) signal.removeEventListener('abort', abort);
  }
}
