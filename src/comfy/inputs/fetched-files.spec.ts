import { existsSync, readFileSync } from 'node:fs';
import { Readable } from 'node:stream';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { type Fetched, type GetOptions, OutboundError } from '../../outbound/index.js';
import { FetchedFiles, type Lease } from './fetched-files.js';

const { signal } = new AbortController();
const PNG = Buffer.concat([Buffer.from('89504e470d0a1a0a0000000d49484452', 'hex'), Buffer.alloc(40)]);

/** The web: it answers when it is told to. */
class Web {
  readonly asked: {
    url: string;
    options: GetOptions;
    answer: (fetched: Fetched) => void;
    fail: (error: Error) => void;
  }[] = [];

  get(url: string, options: GetOptions): Promise<Fetched> {
    return new Promise((resolve, reject) => {
      options.signal?.addEventListener('abort', () => reject(options.signal?.reason as Error));
      this.asked.push({ url, options, answer: resolve, fail: reject });
    });
  }

  answer(index: number, bytes = PNG, headers: Record<string, string> = {}): void {
    this.asked[index]?.answer({ headers, size: bytes.length, body: Readable.from([bytes]) });
  }
}

let web: Web;
let files: FetchedFiles;
function open(): void {
  web = new Web();
  files = new FetchedFiles(web, { maxBytes: 1_000, timeoutMs: 60_000, pauseMs: 1 });
}
afterEach(async () => {
  await files.close();
});

const asked = (count: number) => vi.waitFor(() => expect(web.asked).toHaveLength(count), { timeout: 10_000 });
const release = (...leases: Lease[]) => leases.forEach((lease) => lease.release());

describe('FetchedFiles', () => {
  it('fetches once for all who ask while it is on its way, or after that', async () => {
    open();
    const both = [
      files.lease('http://x/a.png', 'caller', signal),
      files.lease('http://x/a.png', 'caller', signal),
    ];
    await asked(1);
    web.answer(0);
    const leases = await Promise.all(both);
    const { file } = leases[0] as Lease;
    expect(file).toMatchObject({ size: PNG.length, type: { contentType: 'image/png', extension: 'png' } });
    expect(file.hash).toMatch(/^blake3:[0-9a-f]{64}$/);
    expect(readFileSync(file.path).equals(PNG)).toBe(true);
    release(...leases);
    const later = await files.lease('http://x/a.png', 'caller', signal);
    expect(later.file).toBe(file);
    expect(web.asked).toHaveLength(1);
  });

  it('goes on for the others where one leaves, and stops where all have left', async () => {
    open();
    const [leaving, leavingToo] = [new AbortController(), new AbortController()];
    const first = files.lease('http://x/a', 'caller', leaving.signal);
    const second = files.lease('http://x/a', 'caller', leavingToo.signal);
    await asked(1);
    leaving.abort(new Error('first'));
    await expect(first).rejects.toThrow('first');
    expect(web.asked[0]?.options.signal?.aborted).toBe(false);
    leavingToo.abort(new Error('second'));
    await expect(second).rejects.toThrow('second');
    await vi.waitFor(() => expect(web.asked[0]?.options.signal?.aborted).toBe(true), { timeout: 10_000 });
    const again = files.lease('http://x/a', 'caller', signal);
    await asked(2);
    web.answer(1);
    await again;
  });

  it.each<[string, Record<string, string>, boolean]>([
    ['no-store', { 'cache-control': 'no-store' }, true],
    ['an age that is over', { 'cache-control': 'max-age=0' }, true],
    ['half an hour', { 'cache-control': 'max-age=1800' }, false],
    ['nothing', {}, false],
  ])('after %s: asked again %#', async (_, headers, again) => {
    open();
    const lease = files.lease('http://x/a', 'caller', signal);
    await asked(1);
    web.answer(0, PNG, headers);
    const { file } = await lease;
    void files.lease('http://x/a', 'caller', signal).catch(() => undefined);
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(web.asked).toHaveLength(again ? 2 : 1);
    // Whoever needs the old one still has it.
    expect(existsSync(file.path)).toBe(true);
  });

  it('removes a file when its time is over and nobody needs it any more, and all at the end', async () => {
    open();
    const taking = files.lease('http://x/a', 'caller', signal);
    await asked(1);
    web.answer(0, PNG, { 'cache-control': 'no-store' });
    const lease = await taking;
    lease.release();
    lease.release();
    await vi.waitFor(() => expect(existsSync(lease.file.path)).toBe(false), { timeout: 10_000 });
    const other = files.lease('http://x/b', 'caller', signal);
    await asked(2);
    web.answer(1);
    const { file } = await other;
    await files.close();
    expect(existsSync(file.path)).toBe(false);
  });

  it('tries again what may pass, three times in all, and nothing else', async () => {
    open();
    const lease = files.lease('http://x/a', 'caller', signal);
    for (let tries = 1; tries <= 3; tries += 1) {
      await asked(tries);
      web.asked[tries - 1]?.fail(new OutboundError('status', 'no', 503));
    }
    await expect(lease).rejects.toMatchObject({ code: 'status', status: 503 });
    const other = files.lease('http://x/b', 'caller', signal);
    await asked(4);
    web.asked[3]?.fail(new OutboundError('status', 'no', 404));
    await expect(other).rejects.toMatchObject({ status: 404 });
  });

  it('leaves nothing of a file that breaks off', async () => {
    open();
    const lease = files.lease('http://x/a', 'caller', signal);
    await asked(1);
    async function* broken(): AsyncGenerator<Buffer> {
      yield PNG;
      throw new OutboundError('too_large', 'It is larger than allowed.');
    }
    web.asked[0]?.answer({ headers: {}, size: undefined, body: Readable.from(broken()) });
    await expect(lease).rejects.toMatchObject({ code: 'too_large' });
  });
});
