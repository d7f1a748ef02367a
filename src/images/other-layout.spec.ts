import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readOtherLayout } from './other-layout.js';
import { inWorkFolder } from './work-folder.js';

const layoutOf = (bytes: Buffer) =>
  inWorkFolder(async (folder) => {
    const path = join(folder, 'image');
    await writeFile(path, bytes);
    return readOtherLayout(path);
  });
const hex = (...parts: string[]) => Buffer.from(parts.join('').replaceAll(' ', ''), 'hex');
const pixels = (count: number) => Buffer.alloc(count, 7);

/** Headers as Pillow writes them, 6 × 4 pixels. */
const FILES: Record<string, [whole: Buffer, tellsEnd: boolean]> = {
  bmp: [
    Buffer.concat([
      hex(
        '424d 86000000 0000 0000 36000000 28000000 06000000 04000000 0100 1800 00000000 50000000 c40e0000 c40e0000',
      ),
      hex('00000000 00000000'),
      pixels(80),
    ]),
    true,
  ],
  tga: [Buffer.concat([hex('00 00 02 0000 0000 00 0000 0400 0600 0400 18 00'), pixels(72)]), true],
  'tga, packed': [Buffer.concat([hex('00 00 0a 0000 0000 00 0000 0000 0600 0400 18 20'), pixels(40)]), false],
  ico: [Buffer.concat([hex('0000 0100 0100 06 04 00 00 0100 2000 40000000 16000000'), pixels(64)]), true],
  ppm: [Buffer.concat([Buffer.from('P6\n# made by hand\n6 4\n255\n'), pixels(72)]), true],
  pgm: [Buffer.concat([Buffer.from('P5 6 4 255\n'), pixels(24)]), true],
  pbm: [Buffer.concat([Buffer.from('P4\n6 4\n'), pixels(4)]), true],
  'ppm in text': [Buffer.from(`P3 6 4 255\n${'7 7 7 '.repeat(24)}`), false],
  psd: [
    Buffer.concat([hex('38425053 0001 000000000000 0003 00000004 00000006 0008 0003'), pixels(90)]),
    false,
  ],
  qoi: [Buffer.concat([hex('716f6966 00000006 00000004 03 00'), pixels(30)]), false],
  'jpeg 2000': [
    Buffer.concat([
      hex('ff4f ff51 0029 0000 00000006 00000004 00000000 00000000 00000006 00000004 00000000 00000000 0003'),
      pixels(50),
      hex('ffd9'),
    ]),
    true,
  ],
};

describe('images that are not decoded here', () => {
  it.each(Object.entries(FILES))(
    '%s: known, measured, and told when it is cut off',
    async (_, [whole, tellsEnd]) => {
      expect(await layoutOf(whole)).toMatchObject({ width: 6, height: 4, frames: 1, truncated: false });
      const cut = whole.subarray(0, -3);
      expect(await layoutOf(cut)).toMatchObject({ width: 6, height: 4, truncated: tellsEnd });
    },
  );

  it.each([
    ['nothing', Buffer.alloc(0)],
    ['a text', Buffer.from('P6 is a name, and 6 4 are numbers'.repeat(9))],
    ['zeros', Buffer.alloc(500)],
    ['a header cut off', Buffer.from('BM')],
    ['JSON', Buffer.from('{"a": 1}'.repeat(40))],
    ['a PNG', hex('89504e470d0a1a0a 0000000d 49484452 00000006 00000004 08 02 000000')],
    ['a safetensors file', Buffer.concat([hex('4000000000000000'), Buffer.from('{"a":{}}'.repeat(20))])],
  ])('%s is none of them', async (_, bytes) => {
    expect(await layoutOf(bytes)).toBeUndefined();
  });
});
