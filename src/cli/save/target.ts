import { access, constants, mkdir, realpath, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { fileError, usageError, whyOf } from '../cli.error.js';
import type { Cli } from '../cli.js';
import { EXIT } from '../exit-codes.js';

/** Where the files go. */
export type Target =
  | { kind: 'none' }
  | { kind: 'stdout' }
  | { kind: 'file'; path: string }
  /** A pipe or a device, which nothing may be put in the place of. */
  | { kind: 'special'; path: string }
  | { kind: 'folder'; path: string };

/**
 * Reads `--out` and `--all`, and makes sure that files can be written there, before anybody works for them.
 * @throws CliError `usage`
 */
export async function prepareTarget(
  { json, process }: Pick<Cli, 'json' | 'process'>,
  { out, all = false }: { out?: string; all?: boolean },
): Promise<Target> {
  if (out === undefined) {
    if (all) throw usageError('--all needs a folder.', 'Name it with --out <folder>.');
    return { kind: 'none' };
  }
  if (out === '-') {
    const why =
      (json && '--json and --out - both want standard output.') ||
      (all && '--all writes several files, which standard output cannot tell apart.') ||
      (process.stdout.isTTY && 'Standard output is a terminal, which has no use for the bytes.');
    if (why) throw usageError(why, 'Use --out <file or folder>.');
    return { kind: 'stdout' };
  }
  const existing = await stat(out).catch(() => undefined);
  if (all && existing?.isDirectory() === false) {
    throw usageError(`--out ${out} is a file, and --all needs a folder.`);
  }
  const isFolder = all || existing?.isDirectory() === true || /[/\\]$/.test(out);
  try {
    if (isFolder) await mkdir(out, { recursive: true });
    const special = existing !== undefined && !isFolder && !existing.isFile();
    // What a link leads to is replaced, not the link.
    const path = existing === undefined || special ? out : await realpath(out);
    await access(isFolder || special ? path : dirname(path), constants.W_OK);
    return { kind: isFolder ? 'folder' : special ? 'special' : 'file', path };
  } catch (error) {
    throw fileError(EXIT.usage, `Nothing can be written to --out ${out}: ${whyOf(error)}.`, error);
  }
}

/** The path in a folder for a name that came from outside. */
export function pathIn(folder: string, name: string): string {
  const safe = basename(name.replace(/[\\/]/g, '/'))
    .replace(/[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}<>:"|?*]/gu, '_')
    .replace(/^\.+/, '');
  return join(folder, safe === '' ? 'file' : safe);
}
