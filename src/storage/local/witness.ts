import { createHash } from 'node:crypto';
import { constants, createReadStream } from 'node:fs';
import { open, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { isKey } from '../naming/file-key.js';
import { codeOf } from './fs-error.js';

const WITNESS = /^(.+)~([0-9a-f]{32})$/;

/**
 * The second name that a published file has in `.tmp` until its bytes are flushed to the disk. It tells the digest of
 * the whole file: so the caller need not wait for the flush, and after a power cut we can still tell which of the newest
 * files are whole.
 */
export function witnessOf(name: string, md5: string): string {
  return `${name}~${md5}`;
}

/**
 * Settles what the last process could not: a file whose bytes are all there is flushed and stays, any other goes.
 * @param root folder of the files
 * @param entry a name in `.tmp`
 * @returns false where `entry` is not a witness
 */
export async function settleWitness(root: string, entry: string): Promise<boolean> {
  const [, name = '', md5] = WITNESS.exec(entry) ?? [];
  if (!isKey(name)) return false;
  const target = join(root, name);
  const witness = join(root, '.tmp', entry);
  try {
    // Another process may be at it this moment: between its two names the target is not there yet.
    if ((await stat(witness)).nlink < 2) return false;
    if ((await digest(target)) === md5) await flush(target);
    else await rm(target, { force: true });
    await rm(witness, { force: true });
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw error;
  }
  return true;
}

async function digest(path: string): Promise<string> {
  const hash = createHash('md5');
  await pipeline(createReadStream(path), hash);
  return hash.digest('hex');
}

async function flush(path: string): Promise<void> {
  const handle = await open(path, constants.O_RDWR);
  try {
    await handle.datasync();
  } finally {
    await handle.close();
  }
}
