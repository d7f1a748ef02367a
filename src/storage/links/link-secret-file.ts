import { randomBytes } from 'node:crypto';
import { link, open, readFile, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { StartError, unusableFolder } from '../../config/index.js';
import type { LinkSecret } from '../storage.options.js';

const FILE = '.link-secret';

/**
 * The secret of this folder, made on first use, so that links live over restarts. Several processes may start at once:
 * the first one's secret wins, and all read the same.
 * @param directory an output folder that is ready
 * @throws StartError where the file cannot be read or is damaged: signing with a new secret would silently kill every link that is out
 */
export async function keepLinkSecret(directory: string): Promise<LinkSecret> {
  const path = join(directory, FILE);
  return (await read(path)) ?? (await make(directory, path));
}

async function make(directory: string, path: string): Promise<LinkSecret> {
  const temporary = join(directory, '.tmp', `secret-${randomBytes(9).toString('hex')}`);
  const handle = await open(temporary, 'wx', 0o600);
  try {
    await handle.writeFile(`${randomBytes(4).toString('hex')}:${randomBytes(32).toString('base64url')}\n`);
    await handle.sync();
    // `link` does not overwrite: whoever comes second reads the first one's. Some file systems know only `rename`.
    await link(temporary, path).catch(async (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST' && (await read(path)) === undefined) await rename(temporary, path);
    });
  } finally {
    await handle.close();
    await rm(temporary, { force: true });
  }
  const secret = await read(path);
  if (secret === undefined) throw new Error(`${path} was written, but is not there`);
  return secret;
}

async function read(path: string): Promise<LinkSecret | undefined> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw unusableFolder({ name: 'output folder', setting: 'OUTPUT_DIR', path: dirname(path) }, error);
  }
  const [, id, secret] = /^([A-Za-z0-9_-]{1,16}):([A-Za-z0-9_-]{43})\n$/.exec(text) ?? [];
  if (id === undefined || secret === undefined) {
    throw new StartError(
      `${path} is damaged. Restore it, or delete it: links that are out will stop working then.`,
    );
  }
  return { id, secret };
}
