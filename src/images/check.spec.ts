import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Images } from './images.js';

const images = new Images({ maxMegapixels: 1 });
afterAll(() => images.onApplicationShutdown());
const never = new AbortController().signal;
let folder: string;
const made = new Map<string, Buffer>();

/** Pixels that no encoder makes small. */
function noise(width: number, height: number) {
  return sharp({
    create: {
      width,
      height,
      channels: 3,
      background: 'red',
      noise: { type: 'gaussian', mean: 128, sigma: 40 },
    },
  });
}

async function animation(frames: number) {
  const pages = await Promise.all(Array.from({ length: frames }, () => noise(64, 64).png().toBuffer()));
  return sharp(pages, { join: { animated: true } });
}

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

describe.each(KINDS)('a %s', (kind) => {
  const format = kind.split(' ').at(-1);
  const frames = kind.startsWith('animated') ? 3 : 1;

  it('is taken when it is whole, whatever it is called', async () => {
    expect(await check(made.get(kind)!, 'photo.txt')).toMatchObject({ format, frames });
  });

  it.each([0.999, 0.98, 0.9, 0.5, 0.1])('is refused when only %d of it is there', async (part) => {
    const whole = made.get(kind)!;
    await expect(check(whole.subarray(0, Math.floor(whole.length * part)))).rejects.toMatchObject({
      name: 'ImageError',
      code: 'damaged',
      message: expect.stringMatching(/cut off or damaged/) as string,
    });
  });
});
