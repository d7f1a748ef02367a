import { readdir } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { canOpenFiles } from './open-files.js';

describe('canOpenFiles', () => {
  it('opens some files and leaves none open', async () => {
    expect(await canOpenFiles()).toBe(true);
    const before = process.platform === 'linux' ? (await readdir('/proc/self/fd')).length : 0;
    await canOpenFiles();
    if (process.platform === 'linux') expect(await readdir('/proc/self/fd')).toHaveLength(before);
  });

  it('says no where one cannot be opened', async () => {
    expect(await canOpenFiles('/no/such/file')).toBe(false);
  });
});
