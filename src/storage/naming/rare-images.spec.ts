import { expect, it } from 'vitest';
import { sniffMediaType } from './media-type.js';

const hex = (text: string) =>
  Buffer.concat([Buffer.from(text.replaceAll(' ', ''), 'hex'), Buffer.alloc(64, 7)]);

it.each<[string, Buffer, string]>([
  [
    'a TGA, which begins like a cursor',
    hex('00 00 02 0000 0000 00 0000 0000 0600 0400 18 00'),
    'image/x-tga',
  ],
  ['a packed TGA', hex('00 00 0a 0000 0000 00 0000 0000 0600 0400 18 20'), 'image/x-tga'],
  ['an icon', hex('0000 0100 0100 06 04 00 00 0100 2000 40000000 16000000'), 'image/x-icon'],
  ['a cursor', hex('0000 0200 0100 06 04 00 00 0100 0100 40000000 16000000'), 'image/x-icon'],
  ['a PPM', Buffer.from('P6\n# made by hand\n6 4\n255\nxxxxxxxx'), 'image/x-portable-pixmap'],
  ['a PGM', Buffer.from('P5 6 4 255\nxxxxxxxxxxxxxxx'), 'image/x-portable-graymap'],
  ['a PBM', Buffer.from('P4\n6 4\nxxxx'), 'image/x-portable-bitmap'],
  ['a JPEG 2000 codestream', hex('ff4f ff51 0029'), 'image/j2c'],
  ['a QOI', hex('716f6966 00000006 00000004 03 00'), 'image/qoi'],
  ['a PCX', hex('0a 05 01 08 0000 0000 0500 0300'), 'image/x-pcx'],
  ['zeros', Buffer.alloc(100), 'application/octet-stream'],
  ['a safetensors file', hex('4000000000000000 7b22'), 'application/octet-stream'],
  ['text', Buffer.from('P6 is a name, and no picture'), 'application/octet-stream'],
])('%s is told by its bytes', async (_, bytes, type) => {
  expect((await sniffMediaType(bytes)).contentType).toBe(type);
});
