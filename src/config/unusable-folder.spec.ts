import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { StartError } from './start.error.js';
import { unusableFolder } from './unusable-folder.js';

let path: string;
beforeAll(async () => {
  path = await mkdtemp(join(tmpdir(), 'unusable-'));
});
afterAll(() => rm(path, { recursive: true }));

const failure = (code: string, at: string) =>
  Object.assign(new Error(`${code}: x, open '${at}'`), { code, path: at });
const describeFolder = (cause: unknown) =>
  unusableFolder({ name: 'output folder', setting: 'OUTPUT_DIR', path }, cause);

describe('unusableFolder', () => {
  it.each(['EACCES', 'EPERM'])('names folder, file, user, owner and ways out for %s', (code) => {
    const { message } = describeFolder(failure(code, join(path, '.tmp')));
    const ids = [process.getuid?.(), process.getgid?.()];
    expect(message).toContain(
      `The output folder "${path}" cannot be used: permission denied at "${path}/.tmp"`,
    );
    expect(message).toContain(
      `the server runs as uid ${ids.join(', gid ')}, the folder belongs to uid ${ids[0]}`,
    );
    expect(message).toContain(`Run "chown -R ${ids.join(':')}"`);
    expect(message).toContain('set OUTPUT_DIR to another folder');
  });

  it.each([
    ['EROFS', 'the file system is read-only'],
    ['ENOTDIR', 'it is not a folder'],
    ['ENOSPC', 'the disk is full'],
    ['EIO', 'EIO: x'],
  ])('gives the reason of %s without advice on users', (code, reason) => {
    const { message } = describeFolder(failure(code, path));
    expect(message).toContain(`cannot be used: ${reason}`);
    expect(message).not.toContain('chown');
  });

  it('makes one line, stack included', () => {
    const error = describeFolder(failure('EACCES', join(path, 'a\nb')));
    expect(error).toBeInstanceOf(StartError);
    expect(error.stack).toBe(error.message);
    expect(error.message.split('\n')).toHaveLength(1);
  });
});
