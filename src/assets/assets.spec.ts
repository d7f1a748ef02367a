import { mkdtemp, readdir, rm, unlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { Test, type TestingModule } from '@nestjs/testing';
import { blake3 } from 'hash-wasm';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { StateDatabase } from '../state/index.js';
import { Storage, StorageModule } from '../storage/index.js';
import { Assets, type NewAssetDetails } from './assets.js';

const DAY_MS = 86_400_000;

let folder: string;
let app: TestingModule;
let storage: Storage;
let database: StateDatabase;
let assets: Assets;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'assets-'));
  const directory = join(folder, 'files');
  app = await Test.createTestingModule({
    imports: [StorageModule.forRootAsync({ useFactory: () => ({ directory, minFreeBytes: 0 }) })],
  }).compile();
  storage = app.get(Storage);
  database = await StateDatabase.open(join(folder, 'state'));
  assets = new Assets(storage, database, { maxUploadBytes: 1_000_000, retentionMs: 31 * DAY_MS });
});

afterEach(async () => {
  database.close();
  await app.close();
  await rm(folder, { recursive: true, force: true });
});

const files = async () => (await readdir(join(folder, 'files'))).filter((name) => !name.startsWith('.'));
const upload = async (text: string, more: Partial<NewAssetDetails> = {}) =>
  assets.adopt(await assets.receive(Readable.from([Buffer.from(text)]), 'a.txt'), { path: 'a.txt', ...more });
const hashOf = async (text: string) => `blake3:${await blake3(text)}`;

describe('Assets', () => {
  it('takes a file in, with its hash', async () => {
    const { asset, createdNew } = await upload('hello');
    expect(createdNew).toBe(true);
    expect(asset).toMatchObject({ hash: await hashOf('hello'), size: 5, path: 'a.txt', job: null });
    expect(asset.expiresAt).toBe(asset.createdAt + 31 * DAY_MS);
    expect(assets.find(asset.id.toUpperCase())).toEqual(asset);
    const { stream } = await assets.open(asset, { start: 1, end: 3 });
    expect(Buffer.concat(await stream.toArray()).toString()).toBe('ell');
  });

  it('keeps equal bytes once, as long as somebody names them', async () => {
    const first = await upload('same');
    const second = await upload('same', { path: 'b.txt' });
    expect(second.createdNew).toBe(false);
    expect(second.asset.id).not.toBe(first.asset.id);
    expect(second.asset.file).toBe(first.asset.file);
    expect(await files()).toHaveLength(1);
    expect(await assets.remove(first.asset.id)).toBe(true);
    expect(await files()).toHaveLength(1);
    expect(await assets.remove(second.asset.id)).toBe(true);
    expect(await files()).toHaveLength(0);
    expect(await assets.remove(second.asset.id)).toBe(false);
  });

  it('keeps them once also where they come at the same time, or are removed meanwhile', async () => {
    const known = await upload('race');
    const [a, b] = await Promise.all([upload('race'), upload('race'), assets.remove(known.asset.id)]);
    for (const { asset } of [a, b]) {
      const { stream } = await assets.open(asset);
      expect(Buffer.concat(await stream.toArray()).toString()).toBe('race');
    }
    expect((await files()).sort()).toEqual([...new Set([a.asset.file, b.asset.file])].sort());
  });

  it('keeps nothing of what is not what it should be', async () => {
    await expect(upload('x', { expectedHash: `blake3:${'0'.repeat(64)}` })).rejects.toMatchObject({
      code: 'hash_mismatch',
    });
    await expect(upload('x'.repeat(1_000_001))).rejects.toMatchObject({ code: 'payload_too_large' });
    await expect(upload('')).rejects.toMatchObject({ reason: 'empty' });
    const broken = Readable.from(
      (async function* () {
        yield Buffer.from('half');
        throw new Error('hung up');
      })(),
    );
    await expect(assets.receive(broken, 'a')).rejects.toThrow('hung up');
    expect(await files()).toHaveLength(0);
    expect(database.get('SELECT count(*) AS n FROM assets')).toEqual({ n: 0 });
    const hash = await hashOf('x');
    expect((await upload('x', { expectedHash: hash })).asset.hash).toBe(hash);
  });

  it('makes another asset of known bytes; the same one is given again, and lives longer', async () => {
    const hash = await hashOf('hello');
    await expect(assets.fromHash(hash, 'b')).rejects.toMatchObject({ code: 'blob_not_found' });
    expect(await assets.hasHash(hash)).toBe(false);
    const { asset } = await upload('hello', { path: 'b', expiresInS: 60 });
    expect(await assets.hasHash(hash)).toBe(true);
    const other = await assets.fromHash(hash, 'c');
    expect(other.createdNew).toBe(true);
    const same = await assets.fromHash(hash, 'b');
    expect(same).toMatchObject({ createdNew: false, asset: { id: asset.id } });
    expect(same.asset.expiresAt).toBeGreaterThan(asset.expiresAt ?? 0);
    const again = await assets.fromHash(hash, 'b', 60);
    expect(again.asset.expiresAt).toBe(same.asset.expiresAt);
  });

  it('does not name bytes that somebody has deleted', async () => {
    const { asset } = await upload('gone');
    await unlink(join(folder, 'files', asset.file));
    expect(await assets.hasHash(await hashOf('gone'))).toBe(false);
    expect((await upload('gone')).createdNew).toBe(true);
  });

  it('computes the hash of what a job made when somebody asks, once', async () => {
    const stored = await storage.put({ body: Buffer.from('made') });
    const asset = assets.register(stored, { job: 'j', path: 'x' });
    expect(asset.hash).toBeNull();
    const hashes = await Promise.all([assets.hashOf(asset), assets.hashOf(asset)]);
    expect(hashes).toEqual([await hashOf('made'), await hashOf('made')]);
    expect(assets.find(asset.id)?.hash).toBe(hashes[0]);
    expect(await assets.hasHash(await hashOf('made'))).toBe(true);
    await assets.removeOfJob('j');
    expect(await files()).toHaveLength(0);
  });

  it('removes what has expired, and its file', async () => {
    const { asset } = await upload('old', { expiresInS: 60 });
    await upload('young');
    const late = Date.now() + 61_000;
    // A job that waits still needs it.
    expect(await assets.sweep(late, (id) => id === asset.id)).toBe(0);
    expect(await assets.sweep(late, () => false, AbortSignal.abort())).toBe(0);
    expect(await assets.sweep(late, () => false)).toBe(1);
    expect(await assets.sweep(late, () => false)).toBe(0);
    expect(assets.find(asset.id)).toBeUndefined();
    expect(await files()).toHaveLength(1);
  });

  it('does not show what has expired, but to who works with it', async () => {
    const { asset } = await upload('old', { expiresInS: 60 });
    database.run('UPDATE assets SET expires = 1');
    expect(assets.find(asset.id)).toBeUndefined();
    expect(assets.find(asset.id, { expired: true })?.id).toBe(asset.id);
  });

  it('in memory, forgets jobs and leaves their files alone', async () => {
    const memory = await StateDatabase.open();
    const fleeting = new Assets(storage, memory, { retentionMs: 1_000 });
    const asset = fleeting.register(await storage.put({ body: Buffer.from('x') }), { job: 'j', path: null });
    expect(asset.expiresAt).toBeNull();
    // An upload does not share it: it would take it along.
    await fleeting.hashOf(asset);
    const received = await fleeting.receive(Readable.from([Buffer.from('x')]), 'x');
    const { asset: twin, createdNew } = await fleeting.adopt(received, { path: 'x' });
    expect(createdNew).toBe(true);
    fleeting.forgetOfJob('j');
    await fleeting.remove(twin.id);
    expect(fleeting.find(asset.id)).toBeUndefined();
    expect(await files()).toHaveLength(1);
    memory.close();
  });
});
