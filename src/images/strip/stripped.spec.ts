import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { animation, noise, pngChunk, withChunks } from '../fixtures.spec-helper.js';
import { stripped } from './stripped.js';

const SECRET = '{"class_type": "KSampler"}';
const METADATA = ['tEXt', 'zTXt', 'iTXt', 'eXIf', 'comf'].map((type) => pngChunk(type, `prompt\0${SECRET}`));

/** Through the stream, in pieces of so many bytes. */
function strip(bytes: Buffer, size = 65_536): Promise<Buffer> {
  const parts = Array.from({ length: Math.ceil(bytes.length / size) }, (_, index) =>
    bytes.subarray(index * size, (index + 1) * size),
  );
  return buffer(stripped(Readable.from(parts, { objectMode: false })));
}

const plain = await noise(40, 30).png().toBuffer();
const full = withChunks(plain, ...METADATA);
const exif = { IFD0: { Model: `prompt:${SECRET}` } };

describe('a PNG', () => {
  it.each([1, 7, 8, 64, 65_536])('loses its texts, and nothing else (in pieces of %d)', async (size) => {
    expect((await strip(full, size)).equals(plain)).toBe(true);
  });

  it('loses them at its end as well', async () => {
    const late = Buffer.concat([plain.subarray(0, -12), ...METADATA, plain.subarray(-12)]);
    expect((await strip(late)).equals(plain)).toBe(true);
  });

  it('keeps its profile, its animation, and what is behind it', async () => {
    const other = withChunks(plain, pngChunk('acTL', Buffer.alloc(8)), pngChunk('gAMA', Buffer.alloc(4)));
    const trailed = Buffer.concat([other, Buffer.from('tEXt behind the end')]);
    expect((await strip(trailed)).equals(trailed)).toBe(true);
  });

  it.each([
    ['is cut off in a text', full.subarray(0, 60), plain.subarray(0, 33)],
    ['is cut off in its pixels', full.subarray(0, -300), plain.subarray(0, -300)],
    ['breaks off into nonsense', Buffer.concat([full.subarray(0, 33), Buffer.alloc(99, 0xff)]), undefined],
    ['is a signature only', plain.subarray(0, 8), undefined],
    ['is less than that', plain.subarray(0, 5), undefined],
  ])('that %s passes as far as it goes', async (_, bytes, expected) => {
    expect((await strip(bytes)).equals(expected ?? bytes)).toBe(true);
  });
});

describe('a WebP', () => {
  it.each([1, 13, 65_536])('loses EXIF and XMP in place (in pieces of %d)', async (size) => {
    const webp = await (await animation(3)).webp({ lossless: true }).withExif(exif).toBuffer();
    expect(webp.includes('KSampler')).toBe(true);
    const bare = await strip(webp, size);
    expect(bare.length).toBe(webp.length);
    expect(/KSampler|EXIF/.test(bare.toString('latin1'))).toBe(false);
    const pixels = (file: Buffer) => sharp(file, { pages: -1 }).raw().toBuffer();
    expect((await pixels(bare)).equals(await pixels(webp))).toBe(true);
    const metadata = await sharp(bare, { pages: -1 }).metadata();
    expect([metadata.exif, metadata.pages]).toEqual([undefined, 3]);
  });

  it('without any passes as it is', async () => {
    const webp = await noise(9, 9).webp().toBuffer();
    expect((await strip(webp, 3)).equals(webp)).toBe(true);
  });
});

it.each([
  ['a JPEG with EXIF', () => noise(9, 9).withExif(exif).jpeg().toBuffer()],
  ['an AVIF', () => noise(9, 9).avif().toBuffer()],
  ['a text', () => Promise.resolve(Buffer.from('tEXt'))],
  ['many bytes', () => Promise.resolve(Buffer.alloc(300_000, 'tEXt'))],
  ['nothing', () => Promise.resolve(Buffer.alloc(0))],
])('%s passes as it is', async (_, make) => {
  const bytes = await make();
  expect((await strip(bytes)).equals(bytes)).toBe(true);
});

it('passes on the error of what it reads', async () => {
  const broken = new Readable({
    read() {
      this.destroy(new Error('torn'));
    },
  });
  await expect(buffer(stripped(broken))).rejects.toThrow('torn');
});
