import { createReadStream } from 'node:fs';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { Readable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import {
  animation,
  lyingAvif,
  lyingGif,
  lyingJpeg,
  lyingPng,
  lyingWebp,
  noise,
  pngBomb,
  pngChunk,
  withChunks,
} from './fixtures.spec-helper.js';
import { Images } from './images.js';

const images = new Images({ maxMegapixels: 1 });
afterAll(() => images.onApplicationShutdown());
const never = new AbortController().signal;
let folder: string;
const made = new Map<string, Buffer>();

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'check-image-'));
  made.set('png', await noise(320, 241).png().toBuffer());
  made.set('interlaced png', await noise(320, 241).png({ progressive: true }).toBuffer());
  made.set('jpeg', await noise(320, 241).jpeg().toBuffer());
  made.set('progressive jpeg', await noise(320, 241).jpeg({ progressive: true }).toBuffer());
  made.set('webp', await noise(320, 241).webp().toBuffer());
  made.set('lossless webp', await noise(320, 241).webp({ lossless: true }).toBuffer());
  made.set('avif', await noise(320, 241).avif({ effort: 0 }).toBuffer());
  made.set('gif', await noise(320, 241).gif().toBuffer());
  made.set('tiff', await noise(320, 241).tiff({ compression: 'deflate' }).toBuffer());
  made.set('animated gif', await (await animation(3)).gif({ delay: [90, 90, 90] }).toBuffer());
  made.set('animated webp', await (await animation(3)).webp({ delay: [90, 90, 90] }).toBuffer());
});

afterAll(() => rm(folder, { recursive: true, force: true }));

async function check(bytes: Buffer, name = 'file', by = images) {
  const path = join(folder, name);
  await writeFile(path, bytes);
  return by.check(path, never);
}

const KINDS = [
  'png',
  'interlaced png',
  'jpeg',
  'progressive jpeg',
  'webp',
  'lossless webp',
  'avif',
  'gif',
  'tiff',
  'animated gif',
  'animated webp',
];

/** Pillow makes a picture of what is there of these, as tried on 0.3.64 and 0.8.0; not of the others. */
const TAKEN_TORN = new Set(['png', 'jpeg', 'gif']);

describe.each(KINDS)('a %s', (kind) => {
  const format = kind.split(' ').at(-1);
  const frames = kind.startsWith('animated') ? 3 : 1;

  it('is taken when it is whole, whatever it is called', async () => {
    expect(await check(made.get(kind)!, 'photo.txt')).toMatchObject({ format, frames });
  });

  it.each([0.999, 0.98, 0.9, 0.5, 0.1])('as ComfyUI does, when only %d of it is there', async (part) => {
    const whole = made.get(kind)!;
    if (TAKEN_TORN.has(format ?? '')) {
      const image = await check(whole.subarray(0, Math.floor(whole.length * part)));
      expect(image).toMatchObject({ format, truncated: true });
      return;
    }
    await expect(check(whole.subarray(0, Math.floor(whole.length * part)))).rejects.toMatchObject({
      name: 'ImageError',
      code: 'damaged',
      message: expect.stringMatching(/cut off or damaged/) as string,
    });
  });
});

it.each([
  ['webp', 1],
  ['avif', 1],
])('a %s without the last %i bytes is refused', async (kind, missing) => {
  await expect(check(made.get(kind)!.subarray(0, -missing))).rejects.toMatchObject({ code: 'damaged' });
});

it.each([
  ['png', 1],
  // Its last two only say that it ends, which no decoder needs that has all pixels.
  ['jpeg', 64],
  ['gif', 1],
])('a %s without the last %i bytes is taken, and told', async (kind, missing) => {
  expect(await check(made.get(kind)!.subarray(0, -missing))).toMatchObject({ truncated: true });
});

it('an animated PNG that is cut off is refused: Pillow makes nothing of it', async () => {
  const animated = withChunks(made.get('png')!, pngChunk('acTL', '\0\0\0\x02\0\0\0\0'));
  await expect(check(animated.subarray(0, -200))).rejects.toMatchObject({ code: 'damaged' });
});

it('one that is cut off is converted to nothing', async () => {
  const path = join(folder, 'cut.gif');
  const whole = made.get('animated gif')!;
  await writeFile(path, whole.subarray(0, Math.floor(whole.length * 0.9)));
  await expect(
    images.convert(path, { format: 'webp' }, never, () => Promise.resolve()),
  ).rejects.toMatchObject({ code: 'damaged' });
});

it('a PGM that is cut off is refused, and a PPM is not', async () => {
  const cut = (kind: string) => check(Buffer.from(`${kind} 64 64 255\n${'x'.repeat(999)}`));
  await expect(cut('P5')).rejects.toMatchObject({ code: 'damaged' });
  expect(await cut('P6')).toMatchObject({ truncated: true });
});

it('of one that is not decoded here the pixels are counted', async () => {
  const bmp = Buffer.alloc(64);
  bmp.write('BM');
  bmp.writeUInt32LE(54, 10);
  bmp.writeUInt32LE(40, 14);
  bmp.writeInt32LE(30_000, 18);
  bmp.writeInt32LE(-30_000, 22);
  bmp.writeUInt16LE(24, 28);
  await expect(check(bmp)).rejects.toMatchObject({ code: 'too_many_pixels' });
});

describe('more pixels than are taken', () => {
  const side = 40_000;
  it.each<[string, () => Promise<Buffer>]>([
    ['a whole PNG of one colour', () => Promise.resolve(pngBomb(side, side))],
    ['the header of a PNG', async () => lyingPng(await noise(9, 9).png().toBuffer(), side, side)],
    ['the header of a JPEG', async () => lyingJpeg(await noise(9, 9).jpeg().toBuffer(), side, side)],
    [
      'the header of a WebP',
      async () => lyingWebp(await noise(9, 9).webp({ lossless: true }).toBuffer(), 16_000, 16_000),
    ],
    ['the header of an AVIF', async () => lyingAvif(await noise(9, 9).avif().toBuffer(), 16_000, 16_000)],
    ['the screen of a GIF', async () => lyingGif(await noise(9, 9).gif().toBuffer(), side, side)],
    [
      'a whole WebP of one colour',
      () =>
        sharp({ create: { width: 5_000, height: 5_000, channels: 3, background: 'red' } })
          .webp()
          .toBuffer(),
    ],
    [
      'a whole AVIF of one colour',
      () =>
        sharp({ create: { width: 3_000, height: 3_000, channels: 3, background: 'red' } })
          .avif({ effort: 0 })
          .toBuffer(),
    ],
    [
      'the frames that an APNG announces',
      async () =>
        withChunks(
          await noise(99, 99).png().toBuffer(),
          pngChunk('acTL', Buffer.from([0, 0, 0, 200, 0, 0, 0, 0])),
        ),
    ],
    [
      'the frames that an APNG has',
      async () =>
        withChunks(
          await noise(99, 99).png().toBuffer(),
          ...Array.from({ length: 200 }, () => pngChunk('fcTL', Buffer.alloc(26))),
        ),
    ],
  ])('%s: refused', async (_, make) => {
    await expect(check(await make())).rejects.toMatchObject({
      code: 'too_many_pixels',
      message: expect.stringMatching(/IMAGE_MAX_MEGAPIXELS/) as string,
    });
  });

  it.each(['animated gif', 'animated webp'])('all frames of an %s count', async (kind) => {
    const small = new Images({ maxMegapixels: 0.01 });
    try {
      await expect(check(made.get(kind)!, 'frames', small)).rejects.toMatchObject({
        code: 'too_many_pixels',
        message: expect.stringContaining('64 × 64 pixels in 3 frames') as string,
      });
    } finally {
      small.onApplicationShutdown();
    }
  });

  it('counts an image that is just as large as allowed as allowed', async () => {
    expect(await check(await noise(1_000, 1_000).png().toBuffer())).toMatchObject({ width: 1_000 });
    await expect(check(await noise(1_000, 1_001).png().toBuffer())).rejects.toMatchObject({
      code: 'too_many_pixels',
    });
  });
});

describe('files that lie', () => {
  it.each<[string, () => Promise<Buffer>]>([
    ['a PNG of more rows', async () => lyingPng(await noise(64, 64).png().toBuffer(), 64, 640)],
    [
      'an interlaced PNG of more rows',
      async () => lyingPng(await noise(64, 64).png({ progressive: true }).toBuffer(), 64, 640),
    ],
    ['a JPEG of more rows', async () => lyingJpeg(await noise(64, 64).jpeg().toBuffer(), 64, 640)],
    ['an AVIF of more rows', async () => lyingAvif(await noise(64, 64).avif().toBuffer(), 64, 640)],
    [
      'a WebP of more rows',
      async () => lyingWebp(await noise(64, 64).webp({ lossless: true }).toBuffer(), 64, 640),
    ],
    ['a PNG that is only a signature', () => Promise.resolve(Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'))],
    [
      'a PNG of random bytes',
      () =>
        Promise.resolve(
          Buffer.concat([Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'), Buffer.alloc(5_000, 'x')]),
        ),
    ],
    [
      'a JPEG of random bytes',
      () => Promise.resolve(Buffer.concat([Buffer.from([0xff, 0xd8, 0xff, 0xe0]), Buffer.alloc(5_000, 'x')])),
    ],
    [
      'a PNG with a byte changed',
      async () => {
        const png = await noise(64, 64).png().toBuffer();
        png[png.length >> 1]! ^= 0xff;
        return png;
      },
    ],
  ])('%s: refused', async (_, make) => {
    await expect(check(await make())).rejects.toMatchObject({ code: 'damaged' });
  });

  it('says nothing of paths, nor what the decoder said', async () => {
    const error = (await check(made.get('avif')!.subarray(0, 400)).catch(
      (reason: unknown) => reason,
    )) as Error;
    expect(error.message).not.toMatch(/\/|vips|heif/);
  });
});

describe('what is in order', () => {
  it.each<[string, () => Promise<Buffer>]>([
    [
      'a PNG with a bad profile',
      async () => withChunks(await noise(9, 9).png().toBuffer(), pngChunk('iCCP', 'x\0\0nonsense')),
    ],
    [
      'a JPEG with bytes between its segments',
      async () => {
        const jpeg = await noise(9, 9).jpeg().toBuffer();
        const first = 4 + jpeg.readUInt16BE(4);
        return Buffer.concat([jpeg.subarray(0, first), Buffer.from([1, 2, 3, 4]), jpeg.subarray(first)]);
      },
    ],
    [
      'a JPEG with something behind it',
      async () => Buffer.concat([await noise(9, 9).jpeg().toBuffer(), Buffer.alloc(99)]),
    ],
    [
      'an AVIF that calls itself HEIF',
      async () => {
        const avif = await noise(9, 9).avif().toBuffer();
        avif.write('mif1', 8, 'latin1');
        return avif;
      },
    ],
  ])('%s is taken', async (_, make) => {
    expect(await check(await make())).toMatchObject({ width: 9, height: 9 });
  });

  it.each([
    ['text', Buffer.from('a red fox')],
    ['nothing', Buffer.alloc(0)],
    ['a BMP', Buffer.concat([Buffer.from('BM'), Buffer.alloc(200)])],
    [
      'an SVG',
      Buffer.from(
        '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><image href="/etc/passwd"/></svg>',
      ),
    ],
  ])('%s is not looked into', async (_, bytes) => {
    expect(await check(bytes, 'picture.png')).toBeUndefined();
  });

  it('takes a stream, and leaves no file behind', async () => {
    const path = join(folder, 'streamed');
    await writeFile(path, made.get('png')!);
    const before = await leftovers();
    expect(await images.check(() => createReadStream(path), never)).toMatchObject({ format: 'png' });
    await expect(
      images.check(() => Readable.from([made.get('webp')!.subarray(0, 999)]), never),
    ).rejects.toMatchObject({ code: 'damaged' });
    const broken = () =>
      new Readable({
        read() {
          this.destroy(new Error('torn'));
        },
      });
    await expect(images.check(broken, never)).rejects.toThrow('torn');
    expect(await leftovers()).toEqual(before);
  });
});

describe('waiting', () => {
  it('ends at once when it is aborted, and the next one is served', async () => {
    const abort = new AbortController();
    const open = vi.fn<() => Promise<Readable>>(() => new Promise(() => undefined));
    // As many as there are seats; who comes later has to wait.
    const stuck = [1, 2].map(() => images.check(open, abort.signal, 'a'));
    await vi.waitFor(() => expect(open).toHaveBeenCalledTimes(2));
    const behind = images.check(join(folder, 'nothing'), abort.signal, 'a');
    const ends = Promise.allSettled([...stuck, behind]);
    await new Promise((resolve) => setTimeout(resolve, 50));
    abort.abort(new Error('enough'));
    expect((await ends).map((end) => end.status === 'rejected' && String(end.reason))).toEqual(
      Array.from({ length: 3 }, () => 'Error: enough'),
    );
    expect(await check(made.get('png')!)).toBeDefined();
  });

  it('ends with the time an image may take', async () => {
    const hasty = new Images({ timeoutMs: 1 });
    try {
      await expect(check(made.get('avif')!, 'slow', hasty)).rejects.toMatchObject({ code: 'too_slow' });
    } finally {
      hasty.onApplicationShutdown();
    }
  });
});

async function leftovers(): Promise<string[]> {
  return (await readdir(tmpdir())).filter((name) => name.startsWith('comfy-images-'));
}
