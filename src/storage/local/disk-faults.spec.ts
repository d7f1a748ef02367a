import { execFileSync, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { lstatSync } from 'node:fs';
import {
  link,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  stat,
  symlink,
  unlink,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { png } from '../storage.contract.spec-helper.js';
import { LocalStorage } from './local.storage.js';
import { OutputFolder } from './output-folder.js';
import { PendingFile } from './pending-file.js';

const LIMITS = { maxFileBytes: 256 * 1024 * 1024, minFreeBytes: 0 };
const CANNOT_MOUNT = whyNotMount();
if (CANNOT_MOUNT !== undefined) process.stderr.write(`Disk faults on a tmpfs are skipped: ${CANNOT_MOUNT}\n`);

let directory: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'disk-'));
});

afterEach(() => rm(directory, { recursive: true, force: true }));

async function namesIn(path: string) {
  const visible = (await readdir(path)).filter((name) => !name.startsWith('.'));
  return [...visible, ...(await readdir(join(path, '.tmp')))];
}

describe('LocalStorage on a disk of its own', () => {
  let mounted: string | undefined;

  async function mount(options: string): Promise<string> {
    mounted = join(directory, 'disk');
    await mkdir(mounted, { recursive: true });
    execFileSync('mount', ['-t', 'tmpfs', '-o', options, 'tmpfs', mounted]);
    return mounted;
  }

  afterEach(() => {
    if (mounted !== undefined) execFileSync('umount', ['-l', mounted]);
    mounted = undefined;
  });

  it.skipIf(CANNOT_MOUNT)('says that the disk is full, keeps nothing, and goes on', async () => {
    const disk = await mount('size=1m');
    const storage = await LocalStorage.create({ directory: disk, ...LIMITS });
    const full = { code: 'storage_full', reason: 'full', retryable: false };
    await expect(storage.put({ body: png(2_000_000) })).rejects.toMatchObject(full);
    const pieces = Array.from({ length: 40 }, () => Buffer.alloc(65_536));
    await expect(storage.put({ body: Readable.from(pieces) })).rejects.toMatchObject(full);
    expect(await namesIn(disk)).toEqual([]);
    const { key } = await storage.put({ body: png(10_000) });
    await expect.poll(() => namesIn(disk)).toEqual([key]);
    await storage.onApplicationShutdown();
  });

  it.skipIf(CANNOT_MOUNT)('leaves the last of the disk alone, and is not well then', async () => {
    const disk = await mount('size=2m');
    const storage = await LocalStorage.create({ directory: disk, ...LIMITS, minFreeBytes: 1024 * 1024 });
    await storage.put({ body: png(10_000) });
    await expect(storage.put({ body: png(), size: 1_500_000 })).rejects.toMatchObject({
      code: 'storage_full',
    });
    await writeFile(join(disk, 'other'), Buffer.alloc(1_500_000));
    expect(await storage.check()).toEqual({ ok: false, detail: 'The disk of the output folder is full.' });
    await storage.onApplicationShutdown();
  });

  it.skipIf(CANNOT_MOUNT)('says so when names run out before bytes', async () => {
    const disk = await mount('size=4m,nr_inodes=12');
    const storage = await LocalStorage.create({ directory: disk, ...LIMITS });
    const kept: string[] = [];
    const filling = async () => {
      for (;;) kept.push((await storage.put({ body: png() })).key);
    };
    await expect(filling()).rejects.toMatchObject({ code: 'storage_full' });
    expect(kept.length).toBeGreaterThan(3);
    await storage.onApplicationShutdown();
    expect((await namesIn(disk)).sort()).toEqual(kept.sort());
  });

  it.skipIf(CANNOT_MOUNT)('says that the folder cannot be written to', async () => {
    const disk = await mount('size=1m');
    const storage = await LocalStorage.create({ directory: disk, ...LIMITS });
    execFileSync('mount', ['-o', 'remount,ro', disk]);
    const readOnly = {
      code: 'storage_error',
      reason: 'read_only',
      message: expect.not.stringContaining(disk) as string,
    };
    await expect(storage.put({ body: png() })).rejects.toMatchObject(readOnly);
    expect((await storage.check()).ok).toBe(false);
    await storage.onApplicationShutdown();
    await expect(LocalStorage.create({ directory: disk, ...LIMITS })).rejects.toThrow(
      `${disk}" cannot be used`,
    );
    await expect(LocalStorage.create({ directory: join(disk, 'new'), ...LIMITS })).rejects.toThrow(
      'cannot be used',
    );
  });
});

describe('LocalStorage at boot', () => {
  it('refuses a file in place of the folder, and a link in place of .tmp', async () => {
    await writeFile(join(directory, 'file'), '');
    const file = LocalStorage.create({ directory: join(directory, 'file'), ...LIMITS });
    await expect(file).rejects.toThrow(/file" cannot be used.*OUTPUT_DIR/s);
    await symlink('/etc', join(directory, '.tmp'));
    await expect(LocalStorage.create({ directory, ...LIMITS })).rejects.toThrow('cannot be used');
  });

  it('makes the folder, and sweeps up what a crash has left', async () => {
    const deep = join(directory, 'a', 'b');
    await mkdir(join(deep, '.tmp'), { recursive: true });
    const [old, young, other] = ['1-old', '2-young', 'folder'].map((name) => join(deep, '.tmp', name)) as [
      string,
      string,
      string,
    ];
    await writeFile(old, 'x');
    await writeFile(young, 'x');
    await mkdir(other);
    await symlink(join(directory, 'target'), join(deep, '.tmp', 'link'));
    await writeFile(join(directory, 'target'), 'x');
    const longAgo = new Date(Date.now() - 3_700_000);
    await utimes(old, longAgo, longAgo);
    await utimes(join(directory, 'target'), longAgo, longAgo);
    const storages = await Promise.all([1, 2].map(() => LocalStorage.create({ directory: deep, ...LIMITS })));
    expect((await readdir(join(deep, '.tmp'))).sort()).toEqual(['2-young', 'folder', 'link']);
    expect(await readFile(join(directory, 'target'), 'utf8')).toBe('x');
    for (const storage of storages) await storage.onApplicationShutdown();
  });
});

describe('LocalStorage after a power cut', () => {
  const KEY = 'image_1795460610911_0a1b2c3d4e5f.png';
  const md5 = (bytes: Buffer) => createHash('md5').update(bytes).digest('hex');

  /** A published file that was never flushed: `onDisk` is what the cut has left of it. */
  async function leave(whole: Buffer, onDisk: Buffer) {
    await mkdir(join(directory, '.tmp'));
    const witness = join(directory, '.tmp', `${KEY}~${md5(whole)}`);
    await writeFile(witness, onDisk);
    await link(witness, join(directory, KEY));
  }

  it('keeps a file that is whole', async () => {
    const bytes = png(50_000);
    await leave(bytes, bytes);
    const storage = await LocalStorage.create({ directory, ...LIMITS });
    expect(await namesIn(directory)).toEqual([KEY]);
    expect((await readFile(join(directory, KEY))).equals(bytes)).toBe(true);
    await storage.onApplicationShutdown();
  });

  it.each([0, 30_000])('removes a file of which %i bytes are left', async (length) => {
    const bytes = png(50_000);
    await leave(bytes, bytes.subarray(0, length));
    const storage = await LocalStorage.create({ directory, ...LIMITS });
    expect(await namesIn(directory)).toEqual([]);
    await storage.onApplicationShutdown();
  });

  it('leaves a file alone that another process is about to name', async () => {
    await mkdir(join(directory, '.tmp'));
    const witness = `${KEY}~${md5(png())}`;
    await writeFile(join(directory, '.tmp', witness), png());
    const storage = await LocalStorage.create({ directory, ...LIMITS });
    expect(await namesIn(directory)).toEqual([witness]);
    await storage.onApplicationShutdown();
  });

  it('has nothing left to settle once it was closed in order', async () => {
    const storage = await LocalStorage.create({ directory, ...LIMITS });
    const puts = await Promise.all(Array.from({ length: 100 }, () => storage.put({ body: png(20_000) })));
    await storage.onApplicationShutdown();
    expect((await namesIn(directory)).sort()).toEqual(puts.map(({ key }) => key).sort());
  });
});

describe('LocalStorage', () => {
  it('leaves no half file behind when the process dies', async () => {
    const script = `
      import { LocalStorage } from ${JSON.stringify(new URL('local.storage.ts', import.meta.url).href)};
      import { Readable } from 'node:stream';
      const storage = await LocalStorage.create(${JSON.stringify({ directory, ...LIMITS })});
      const body = Readable.from((async function* () {
        for (;;) { yield Buffer.alloc(300000); await new Promise((done) => setTimeout(done, 5)); }
      })());
      console.log('writing');
      await storage.put({ body });
    `;
    const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', script]);
    await once(child.stdout, 'data');
    await expect.poll(async () => (await readdir(join(directory, '.tmp'))).length).toBe(1);
    await new Promise((resolve) => setTimeout(resolve, 50));
    child.kill('SIGKILL');
    await once(child, 'exit');
    expect((await readdir(directory)).filter((name) => !name.startsWith('.'))).toEqual([]);
    expect(await readdir(join(directory, '.tmp'))).toHaveLength(1);
  }, 20_000);

  it('never overwrites: of fifty who want one name, one gets it', async () => {
    const folder = await OutputFolder.prepare(directory);
    const attempts = Array.from({ length: 50 }, async (_, index) => {
      const file = await PendingFile.create(folder);
      try {
        await file.write(Buffer.from(`bytes of ${index}`));
        return await file.publish(() => 'image_1_000000000000.png', String(index).padStart(32, '0'));
      } catch (error) {
        await file.discard();
        throw error;
      }
    });
    const results = await Promise.allSettled(attempts);
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    await folder.close();
    expect(await namesIn(directory)).toEqual(['image_1_000000000000.png']);
  });

  it('goes on after somebody has emptied its folder', async () => {
    const storage = await LocalStorage.create({ directory, ...LIMITS });
    await rm(join(directory, '.tmp'), { recursive: true });
    const { key } = await storage.put({ body: png() });
    await expect.poll(() => namesIn(directory)).toEqual([key]);
    await rm(directory, { recursive: true });
    await expect(storage.put({ body: png() })).rejects.toMatchObject({
      code: 'storage_error',
      reason: 'config',
    });
    await storage.onApplicationShutdown();
  });

  it('reads a file to its end that is deleted meanwhile', async () => {
    const storage = await LocalStorage.create({ directory, ...LIMITS });
    const bytes = png(3_000_000);
    const { key } = await storage.put({ body: bytes });
    const { stream } = await storage.open(key);
    stream.once('data', () => void unlink(join(directory, key)));
    expect((await buffer(stream)).equals(bytes)).toBe(true);
    await expect(storage.open(key)).rejects.toMatchObject({ code: 'file_not_found' });
    await storage.onApplicationShutdown();
  });

  it('opens neither links nor folders', async () => {
    const storage = await LocalStorage.create({ directory, ...LIMITS });
    await symlink('/etc/passwd', join(directory, 'image_1_000000000000.png'));
    await mkdir(join(directory, 'image_2_000000000000.png'));
    for (const key of ['image_1_000000000000.png', 'image_2_000000000000.png']) {
      await expect(storage.open(key)).rejects.toMatchObject({ code: 'file_not_found' });
    }
    await storage.onApplicationShutdown();
  });

  it('takes large files without holding them in memory', async () => {
    const storage = await LocalStorage.create({ directory, ...LIMITS });
    /** Bytes in the temporary file. */
    const written = async () => {
      const [name] = await readdir(join(directory, '.tmp'));
      return name === undefined
        ? 0
        : ((await stat(join(directory, '.tmp', name)).catch(() => undefined))?.size ?? 0);
    };
    const piece = Buffer.alloc(64 * 1024, 1);
    let ahead = 0;
    let most = 0;
    const body = Readable.from(
      (async function* () {
        for (let index = 0; index < 1_600; index++) {
          ahead += piece.length;
          most = Math.max(most, ahead - (await written()));
          yield piece;
        }
      })(),
    );
    const { size } = await storage.put({ body });
    expect(size).toBe(1_600 * 64 * 1024);
    // Two batches of 256 KiB and what the source keeps ready.
    expect(most).toBeLessThan(2 * 1024 * 1024);
    await storage.onApplicationShutdown();
  });
});

function whyNotMount(): string | undefined {
  const probe = join(tmpdir(), `mount-probe-${process.pid}`);
  try {
    execFileSync('mkdir', ['-p', probe]);
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', probe], { stdio: 'pipe' });
    execFileSync('umount', [probe]);
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message.trim() : 'mount does not work';
  } finally {
    if (lstatSync(probe, { throwIfNoEntry: false })?.isDirectory()) execFileSync('rmdir', [probe]);
  }
}
