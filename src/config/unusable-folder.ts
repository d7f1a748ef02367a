import { statSync } from 'node:fs';
import { resolve } from 'node:path';
import { StartError } from './start.error.js';

/** A folder that the server needs. */
export interface NeededFolder {
  /** Noun phrase for messages: `output folder`. */
  name: string;
  /** The setting that names it. */
  setting: string;
  /** As the setting gives it. */
  path: string;
}

const DENIED = new Set(['EACCES', 'EPERM']);

const REASONS: Readonly<Record<string, string>> = {
  EACCES: 'permission denied',
  EPERM: 'permission denied',
  EROFS: 'the file system is read-only',
  ENOTDIR: 'it is not a folder',
  EEXIST: 'it is not a folder',
  ENOSPC: 'the disk is full',
  EDQUOT: 'the quota of the disk is used up',
};

/**
 * Says in one line which folder cannot be used, why, as which user, and what to do.
 * @param cause what `node:fs` threw, or an Error whose message is the reason
 */
export function unusableFolder(folder: NeededFolder, cause: unknown): StartError {
  const path = resolve(folder.path);
  const { code, path: at, message } = cause as NodeJS.ErrnoException;
  const reason = REASONS[code ?? ''] ?? message;
  const where = at === undefined || at === folder.path || at === path ? '' : ` at ${JSON.stringify(at)}`;
  const what = `The ${folder.name} ${JSON.stringify(path)} cannot be used: ${reason}${where}`;
  const another = `set ${folder.setting} to another folder`;
  if (code === undefined || !DENIED.has(code)) return new StartError(`${what}. Correct that, or ${another}.`);
  const user = ownIds();
  return new StartError(
    user === undefined
      ? `${what}. Let this user write to it, or ${another}.`
      : `${what}; the server runs as uid ${user.replace(':', ', gid ')}${ownerOf(path)}. ` +
          `Run "chown -R ${user}" on the folder (outside the container, if it is mounted), start the server as its owner, or ${another}.`,
  );
}

/** `uid:gid`; undefined on systems without them. */
function ownIds(): string | undefined {
  const uid = process.geteuid?.();
  return uid === undefined ? undefined : `${uid}:${process.getegid?.()}`;
}

function ownerOf(path: string): string {
  try {
    return `, the folder belongs to uid ${statSync(path).uid}`;
  } catch {
    return ''; // It does not exist, or a folder above it is closed to us.
  }
}
