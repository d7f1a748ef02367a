import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import sharp from 'sharp';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { ConvertOptions } from './convert-options.js';
import { animation, noise, pngChunk, withChunks } from './fixtures.spec-helper.js';
import { Images } from './images.js';

const images = new Images({});
const never = new AbortController().signal;
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'convert-image-'));
});
afterAll(() => {
  images.onApplicationShutdown();
  return rm(folder, { recursive: true, force: true });
});

async function convert(bytes: Buffer, options: ConvertOptions): Promise<Buffer> {
  const path = join(folder, 'source');
  await writeFile(path, bytes);
  return images.convert(path, options, never, async ({ open, size }) => {
    const result = await buffer(open());
    expect(result.length).toBe(size);
    return result;
  });
}

it('turns the image as its EXIF says, whether that is kept or not', async () => {
  const lying = await noise(40, 20).withMetadata({ orientation: 6 }).jpeg().toBuffer();
  for (const stripMetadata of [true, false]) {
    const result = await sharp(await convert(lying, { format: 'png', stripMetadata })).metadata();
    expect([result.width, result.height, result.orientation ?? 1]).toEqual([20, 40, 1]);
  }
  expect(await sharp(await convert(lying, { format: 'webp', maxWidth: 10 })).metadata()).toMatchObject({
    width: 10,
    height: 20,
  });
});

it('puts what is transparent on white, where there is no transparency', async () => {
  const clear = await sharp({
    create: { width: 8, height: 8, channels: 4, background: { r: 255, g: 0, b: 0, alpha: 0 } },
  })
    .png()
    .toBuffer();
  const [red = 0, green = 0] = await sharp(await convert(clear, { format: 'jpeg' }))
    .raw()
    .toBuffer();
  expect(Math.min(red, green)).toBeGreaterThan(250);
  for (const format of ['webp', 'avif', 'png'] as const) {
    expect((await sharp(await convert(clear, { format })).metadata()).hasAlpha).toBe(true);
  }
});

it('gives the same colours where a profile says what they are', async () => {
  const wide = await sharp({ create: { width: 8, height: 8, channels: 3, background: '#c04020' } })
    .withIccProfile('p3')
    .png()
    .toBuffer();
  // Seen through its profile it is what it was made of.
  for (const stripMetadata of [true, false]) {
    const result = await convert(wide, { format: 'png', stripMetadata });
    const pixel = await sharp(result).toColourspace('srgb').raw().toBuffer();
    expect(Math.abs(pixel[0]! - 0xc0)).toBeLessThan(4);
    expect(Math.abs(pixel[1]! - 0x40)).toBeLessThan(4);
  }
});

it('smaller quality makes smaller files', async () => {
  const source = await noise(128, 128).png().toBuffer();
  for (const format of ['jpeg', 'webp', 'avif'] as const) {
    const [small, large] = await Promise.all([
      convert(source, { format, quality: 10 }),
      convert(source, { format, quality: 95 }),
    ]);
    expect(small.length).toBeLessThan(large.length);
  }
});

it('keeps the frames and their times in WebP, and refuses where it cannot', async () => {
  const gif = await (await animation(3)).gif({ delay: [100, 200, 300] }).toBuffer();
  const webp = await sharp(await convert(gif, { format: 'webp' }), { pages: -1 }).metadata();
  expect([webp.pages, webp.delay]).toEqual([3, [100, 200, 300]]);
  await expect(convert(gif, { format: 'png' })).rejects.toMatchObject({ code: 'not_supported' });
  const apng = withChunks(
    await noise(9, 9).png().toBuffer(),
    pngChunk('acTL', Buffer.from([0, 0, 0, 2, 0, 0, 0, 0])),
  );
  await expect(convert(apng, { format: 'webp' })).rejects.toMatchObject({
    code: 'not_supported',
    message: expect.stringContaining('animated PNG') as string,
  });
});

it.each<[string, () => Promise<Buffer> | Buffer, ConvertOptions, string]>([
  ['text', () => Buffer.from('a red fox'), { format: 'png' }, 'not_supported'],
  [
    'an SVG',
    () => Buffer.from('<svg xmlns="http://www.w3.org/2000/svg"/>'),
    { format: 'png' },
    'not_supported',
  ],
  [
    'half a PNG',
    async () => (await noise(64, 64).png().toBuffer()).subarray(0, 5_000),
    { format: 'webp' },
    'damaged',
  ],
  [
    'half a JPEG',
    async () => (await noise(64, 64).jpeg().toBuffer()).subarray(0, 900),
    { format: 'webp' },
    'damaged',
  ],
  [
    'sides that WebP does not have',
    () => noise(17_000, 2).png().toBuffer(),
    { format: 'webp' },
    'not_supported',
  ],
])('%s: not converted', async (_, make, options, code) => {
  await expect(convert(await make(), options)).rejects.toMatchObject({ name: 'ImageError', code });
});

it('several at once come out as they should', async () => {
  const sizes = [10, 20, 30, 40, 50];
  const results = await Promise.all(
    sizes.map(async (side) => {
      const path = join(folder, `${side}.png`);
      await writeFile(path, await noise(side, side).png().toBuffer());
      return images.convert(path, { format: 'webp' }, never, async ({ width, open }) => {
        expect((await sharp(await buffer(open())).metadata()).width).toBe(width);
        return width;
      });
    }),
  );
  expect(results).toEqual(sizes);
});
