import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { describe, expect, it } from 'vitest';
import { BackendError, type FileToUpload } from '../client/index.js';
import { type InputFile, InputFolder } from './input-folder.js';

const HASH = `blake3:${'0123456789abcdef'.repeat(4)}`;
const { signal } = new AbortController();

/** A ComfyUI that takes files, and what it was sent. */
class Taker {
  readonly taken: { name: string; body: string }[] = [];
  failing: unknown;

  async upload({ name, subfolder, body }: FileToUpload, stop: AbortSignal): Promise<string> {
    if (this.failing !== undefined) throw this.failing;
    this.taken.push({ name, body: await text(body) });
    stop.throwIfAborted();
    return `${subfolder}/${name}`;
  }
}

const file = (asset: string, hash = HASH): InputFile => ({
  reference: asset,
  hash: () => Promise.resolve(hash),
  extension: '.png',
  open: () => Promise.resolve({ stream: Readable.from(['bytes']), size: 5 }),
});

describe('InputFolder', () => {
  it('uploads each content once, whoever names it and however many at once', async () => {
    const taker = new Taker();
    const folder = new InputFolder(taker);
    const places = await Promise.all([
      folder.place([file('a'), file('b')], signal),
      folder.place([file('c')], signal),
    ]);
    const name = 'comfy-sync/0123456789abcdef0123456789abcdef.png';
    expect(places.map((place) => [...place])).toEqual([
      [
        ['a', name],
        ['b', name],
      ],
      [['c', name]],
    ]);
    expect(taker.taken).toEqual([{ name: '0123456789abcdef0123456789abcdef.png', body: 'bytes' }]);
  });

  it('uploads again after a failure, and when it may be another folder', async () => {
    const taker = new Taker();
    const folder = new InputFolder(taker);
    taker.failing = new BackendError('status', 'no', 500);
    await expect(folder.place([file('a')], signal)).rejects.toMatchObject({ code: 'no_backend' });
    taker.failing = undefined;
    await folder.place([file('a')], signal);
    folder.forget();
    await folder.place([file('a')], signal);
    expect(taker.taken).toHaveLength(2);
  });

  it('remembers so many, and no more', async () => {
    const taker = new Taker();
    const folder = new InputFolder(taker);
    const hashes = Array.from(
      { length: 10_001 },
      (_, index) => `blake3:${String(index).padStart(64, '0').split('').reverse().join('')}`,
    );
    for (const hash of hashes) await folder.place([file('a', hash)], signal);
    await folder.place([file('a', hashes[10_000])], signal);
    expect(taker.taken).toHaveLength(10_001);
    await folder.place([file('a', hashes[0])], signal);
    expect(taker.taken).toHaveLength(10_002);
  });

  it('goes on by itself where the job that was uploading is cancelled', async () => {
    const taker = new Taker();
    const folder = new InputFolder(taker);
    const leaving = new AbortController();
    const first = folder.place([file('a')], leaving.signal);
    const second = folder.place([file('b')], signal);
    leaving.abort(new Error('cancelled'));
    await expect(first).rejects.toThrow('cancelled');
    expect([...(await second).keys()]).toEqual(['b']);
  });

  it('tells a file that is refused from a backend in trouble, and from a file that cannot be read', async () => {
    const taker = new Taker();
    const folder = new InputFolder(taker);
    taker.failing = new BackendError('status', 'no', 413);
    await expect(folder.place([file('a')], signal)).rejects.toMatchObject({ code: 'invalid_workflow' });
    taker.failing = undefined;
    const broken = { ...file('a'), open: () => Promise.reject(new Error('gone')) };
    await expect(folder.place([broken], signal)).rejects.toThrow('gone');
  });
});
