import { createHash, randomBytes } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { isKey } from './naming/file-key.js';
import type { Storage } from './storage.port.js';

export const PNG_HEAD = Buffer.from('89504e470d0a1a0a0000000d494844520000000100000001080200000090', 'hex');

export function png(bytes = 1_000): Buffer {
  return Buffer.concat([PNG_HEAD, randomBytes(bytes - PNG_HEAD.length)]);
}

export interface StorageUnderTest {
  storage: Storage;
  /** Folder of the local copies. */
  directory: string;
  /** The bytes in every other place they have to be in. */
  copies(key: string): Promise<Buffer[]>;
  /** How many such places there are. */
  elsewhere: number;
  stop(): Promise<void>;
}

/** What every adapter has to do. Files may have 4 MiB at most. */
export function describeStorage(name: string, start: () => Promise<StorageUnderTest>): void {
  describe(`${name}, as any storage`, () => {
    let under: StorageUnderTest;
    let storage: Storage;

    beforeEach(async () => {
      under = await start();
      ({ storage } = under);
    });

    afterEach(() => under.stop());

    /** Files in the folder, and those being written. */
    async function names() {
      const visible = (await readdir(under.directory)).filter((name) => !name.startsWith('.'));
      return { visible, temporary: await readdir(join(under.directory, '.tmp')) };
    }

    it('keeps bytes under a fresh key, everywhere', async () => {
      const bytes = png();
      const stored = await storage.put({ body: bytes, size: bytes.length, filename: 'x.jpg' });
      expect(stored).toEqual({
        key: expect.stringMatching(/^image_\d{13}_[0-9a-f]{12}\.png$/) as string,
        kind: 'image',
        contentType: 'image/png',
        size: 1_000,
        md5: createHash('md5').update(bytes).digest('hex'),
      });
      expect(isKey(stored.key)).toBe(true);
      expect(await readFile(join(under.directory, stored.key))).toEqual(bytes);
      expect(await under.copies(stored.key)).toEqual(Array.from({ length: under.elsewhere }, () => bytes));
      await expect.poll(names).toEqual({ visible: [stored.key], temporary: [] });
      const again = await storage.put({ body: bytes });
      expect(again.key).not.toBe(stored.key);
    });

    it('takes a file back, everywhere, and does not mind one that is not there', async () => {
      const { key } = await storage.put({ body: png() });
      await storage.discard(key);
      await expect(storage.stat(key)).rejects.toMatchObject({ code: 'file_not_found' });
      expect(await under.copies(key)).toEqual([]);
      await storage.discard(key);
      await storage.discard('../.link-secret');
    });

    it('keeps a stream of odd pieces', async () => {
      const bytes = png(1_500_000);
      const pieces = [
        bytes.subarray(0, 3),
        bytes.subarray(3, 7),
        bytes.subarray(7, 900_000),
        bytes.subarray(900_000),
      ];
      const stored = await storage.put({ body: Readable.from(pieces), size: bytes.length });
      expect((await buffer((await storage.open(stored.key)).stream)).equals(bytes)).toBe(true);
      for (const copy of await under.copies(stored.key)) expect(copy.equals(bytes)).toBe(true);
    });

    it('gives each of many files at once a name of its own', async () => {
      const bytes = png();
      const files = await Promise.all(Array.from({ length: 30 }, () => storage.put({ body: bytes })));
      expect(new Set(files.map(({ key }) => key)).size).toBe(30);
      expect((await names()).visible).toHaveLength(30);
    });

    it('opens what it keeps, whole and in part', async () => {
      const bytes = png();
      const { key } = await storage.put({ body: bytes });
      const whole = await storage.open(key);
      expect(whole).toMatchObject({ key, kind: 'image', size: 1_000, contentType: 'image/png' });
      expect(whole.etag).toMatch(/^"[\w-]+"$/);
      expect(Math.abs(whole.lastModified.getTime() - Date.now())).toBeLessThan(5_000);
      expect(whole.range).toBeUndefined();
      expect(await buffer(whole.stream)).toEqual(bytes);
      const { stream: _stream, ...stat } = whole;
      expect(await storage.stat(key)).toEqual(stat);
      for (const [range, from, to] of [
        [{ start: 0, end: 0 }, 0, 0],
        [{ start: 10, end: 19 }, 10, 19],
        [{ start: 990 }, 990, 999],
        [{ start: 990, end: 5_000 }, 990, 999],
      ] as const) {
        const part = await storage.open(key, range);
        expect([part.size, part.range, part.etag]).toEqual([1_000, { start: from, end: to }, whole.etag]);
        expect(await buffer(part.stream)).toEqual(bytes.subarray(from, to + 1));
      }
      await expect(storage.open(key, { start: 1_000 })).rejects.toThrow(RangeError);
      await expect(storage.open(key, { start: 5, end: 4 })).rejects.toThrow(RangeError);
    });

    it.each([
      'image_1_000000000000.png',
      '../etc/passwd',
      '.link-secret',
      '.tmp',
      '',
      'image_1_000000000000.png/x',
      'a'.repeat(300),
    ])('knows no file %j', async (key) => {
      const missing = { name: 'StorageError', code: 'file_not_found' };
      await expect(storage.open(key)).rejects.toMatchObject(missing);
      await expect(storage.stat(key)).rejects.toMatchObject(missing);
    });

    it('keeps a file without bytes where that is said to be one', async () => {
      const stored = await storage.put({ body: Readable.from([]), filename: 'a.png', mayBeEmpty: true });
      expect(stored).toMatchObject({ size: 0, kind: 'file', contentType: 'application/octet-stream' });
      expect(stored.md5).toBe('d41d8cd98f00b204e9800998ecf8427e');
      const { stream, size } = await storage.open(stored.key);
      expect(size).toBe(0);
      expect(await buffer(stream)).toHaveLength(0);
      const text = await storage.put({ body: Buffer.alloc(0), size: 0, filename: 'a.txt', mayBeEmpty: true });
      expect(text).toMatchObject({ size: 0, contentType: expect.stringMatching(/^text/) as unknown });
      await expect(storage.put({ body: Readable.from([]), size: 5, mayBeEmpty: true })).rejects.toMatchObject(
        { reason: 'integrity' },
      );
    });

    it('keeps nothing of what is not as announced', async () => {
      const bytes = png();
      const integrity = { code: 'storage_error', reason: 'integrity' };
      const empty = { code: 'storage_error', reason: 'empty' };
      await expect(storage.put({ body: Buffer.alloc(0) })).rejects.toMatchObject(empty);
      await expect(storage.put({ body: Readable.from([]) })).rejects.toMatchObject(empty);
      await expect(storage.put({ body: bytes, size: 999 })).rejects.toMatchObject(integrity);
      await expect(storage.put({ body: Readable.from([bytes]), size: 1_001 })).rejects.toMatchObject(
        integrity,
      );
      await expect.poll(names).toEqual({ visible: [], temporary: [] });
    });

    it('keeps nothing that is too large, and stops reading it', async () => {
      let read = 0;
      const endless = Readable.from(
        (async function* () {
          for (;;) {
            read += 65_536;
            yield await Promise.resolve(Buffer.alloc(65_536));
          }
        })(),
      );
      const tooLarge = { code: 'storage_error', reason: 'too_large' };
      await expect(storage.put({ body: endless })).rejects.toMatchObject(tooLarge);
      expect(endless.destroyed).toBe(true);
      expect(read).toBeLessThan(8 * 1024 * 1024);
      await expect(storage.put({ body: Readable.from([]), size: 5 * 1024 * 1024 })).rejects.toMatchObject(
        tooLarge,
      );
      await expect.poll(names).toEqual({ visible: [], temporary: [] });
    });

    it('hands on the error of a source that dies, and keeps nothing', async () => {
      const failure = new Error('the backend is gone');
      const dying = Readable.from(
        (async function* () {
          yield png();
          await Promise.resolve();
          throw failure;
        })(),
      );
      await expect(storage.put({ body: dying })).rejects.toBe(failure);
      const dead = new Readable({ read: () => undefined });
      dead.on('error', () => undefined).destroy(failure);
      await expect(storage.put({ body: dead })).rejects.toThrow();
      await expect.poll(names).toEqual({ visible: [], temporary: [] });
    });

    it('fetches a body while it makes ready', async () => {
      const bytes = png();
      const stored = await storage.put({
        fetch: () => Promise.resolve({ body: Readable.from([bytes]), size: 1_000 }),
      });
      expect(await readFile(join(under.directory, stored.key))).toEqual(bytes);
      const failure = new Error('the backend is gone');
      await expect(storage.put({ fetch: () => Promise.reject(failure) })).rejects.toBe(failure);
      const signal = AbortSignal.abort(new Error('nobody waits'));
      const fetch = () => Promise.reject(new Error('called'));
      await expect(storage.put({ fetch, signal })).rejects.toThrow('nobody waits');
      await expect.poll(names).toEqual({ visible: [stored.key], temporary: [] });
    });

    it('stops when told to, with the reason it was told', async () => {
      const reason = new Error('nobody waits any more');
      const silent = new Readable({ read: () => undefined });
      silent.push(png());
      const abort = new AbortController();
      const putting = storage.put({ body: silent, signal: abort.signal });
      setTimeout(() => abort.abort(reason), 20);
      await expect(putting).rejects.toBe(reason);
      expect(silent.destroyed).toBe(true);
      await expect(storage.put({ body: png(), signal: abort.signal })).rejects.toBe(reason);
      await expect.poll(names).toEqual({ visible: [], temporary: [] });
    });

    it('names a link and says how long it lives', async () => {
      const { url, expiresAt } = await storage.link({ key: 'image_1_000000000000.png' });
      expect(url).toContain('image_1_000000000000.png');
      expect(expiresAt === null || expiresAt.getTime() > Date.now()).toBe(true);
    });

    it('is well', async () => {
      expect(await storage.check()).toEqual({ ok: true });
    });
  });
}
