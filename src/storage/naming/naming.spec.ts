import { randomBytes } from 'node:crypto';
import { join, resolve, sep } from 'node:path';
import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { etagOf, isKey, kindOfKey, makeKey } from './file-key.js';
import { contentTypeOf, sniffMediaType } from './media-type.js';

const PIXEL = sharp({ create: { width: 8, height: 8, channels: 3, background: 'red' } });
const OCTETS = 'application/octet-stream';
const mp4 = Buffer.concat([
  Buffer.from('0000001c', 'hex'),
  Buffer.from('ftypisom\0\0\0\0isommp42'),
  Buffer.alloc(32),
]);
const webm = Buffer.from(
  '1a45dfa3a3428681014286810142f7810142f2810442f381084282847765626d42878102428581020000',
  'hex',
);

describe('sniffMediaType', () => {
  it.each([
    ['png', 'image/png', () => PIXEL.clone().png().toBuffer()],
    ['jpg', 'image/jpeg', () => PIXEL.clone().jpeg().toBuffer()],
    ['webp', 'image/webp', () => PIXEL.clone().webp().toBuffer()],
    ['gif', 'image/gif', () => PIXEL.clone().gif().toBuffer()],
    ['avif', 'image/avif', () => PIXEL.clone().avif().toBuffer()],
    ['tif', 'image/tiff', () => PIXEL.clone().tiff().toBuffer()],
    ['mp4', 'video/mp4', () => Promise.resolve(mp4)],
    ['webm', 'video/webm', () => Promise.resolve(webm)],
    ['wav', 'audio/wav', () => Promise.resolve(Buffer.from('RIFF\x24\0\0\0WAVEfmt \x10\0\0\0'))],
    ['flac', 'audio/flac', () => Promise.resolve(Buffer.from(`fLaC${'\0'.repeat(40)}`))],
    ['glb', 'model/gltf-binary', () => Promise.resolve(Buffer.from('glTF\x02\0\0\0\0\0\0\0'))],
  ])('tells %s from its bytes, whatever it is called', async (extension, contentType, make) => {
    const bytes = await make();
    expect(await sniffMediaType(bytes, 'evil.html')).toMatchObject({ extension, contentType });
    expect(contentTypeOf(`x.${extension}`)).toBe(contentType);
  });

  it('tells a PNG whose workflow hides the pixels', async () => {
    const small = await PIXEL.clone().png().toBuffer();
    const text = Buffer.alloc(300_000, 'w');
    const chunk = Buffer.concat([
      Buffer.from([0, 4, 0x93, 0xe0]),
      Buffer.from('tEXt'),
      text,
      Buffer.alloc(4),
    ]);
    const bytes = Buffer.concat([small.subarray(0, 33), chunk, small.subarray(33)]);
    expect(await sniffMediaType(bytes.subarray(0, 262_144))).toMatchObject({
      extension: 'png',
      kind: 'image',
    });
  });

  it.each([
    ['<!doctype html><script>alert(1)</script>', 'page.html', 'bin'],
    ['<svg xmlns="http://www.w3.org/2000/svg"><script/></svg>', 'picture.svg', 'bin'],
    ['<?xml version="1.0"?><svg/>', 'picture.SVG', 'bin'],
    ['<html>502</html>', 'ComfyUI_00001_.png', 'bin'],
    ['{"a":1}', 'data.json', 'json'],
    ['alert(1)', 'x.mjs', 'bin'],
    ['latent', 'x.latent', 'latent'],
    ['bi\x00nary', 'note.TXT', 'bin'],
    ['caf\xe9s', 'latin1.txt', 'bin'],
    ['text', 'no-extension', 'bin'],
    ['text', 'x.sh\n', 'bin'],
    ['text', 'x.../../y', 'bin'],
    ['text', 'x.elevenchars', 'bin'],
    ['PK\x03\x04', 'x.zip', 'zip'],
    ['%PDF-1.7', undefined, 'bin'],
  ])('takes %j, called %j, for bytes: .%s', async (text, filename, extension) => {
    expect(await sniffMediaType(Buffer.from(text, 'latin1'), filename)).toEqual({
      contentType: OCTETS,
      extension,
      kind: 'file',
    });
    expect(contentTypeOf(`file_1_000000000000.${extension}`)).toBe(OCTETS);
  });

  it('takes text for text where it is called so', async () => {
    const text = { contentType: 'text/plain; charset=utf-8', extension: 'txt', kind: 'file' };
    expect(await sniffMediaType(Buffer.from('a red fox, 狐狸\n'), 'note.TXT')).toEqual(text);
    // Cut off in the middle of a character.
    expect(await sniffMediaType(Buffer.from('狐狸').subarray(0, 5), 'x.txt')).toEqual(text);
    expect(contentTypeOf('file_1_000000000000.txt')).toBe(text.contentType);
  });

  it('bears any bytes', async () => {
    for (let round = 0; round < 300; round++) {
      expect(await sniffMediaType(randomBytes(round * 7))).toHaveProperty('contentType');
    }
  });

  it.each(['x.html', 'x.svg', 'x.xml', 'x.js', 'x.css', 'x', '', 'x.htm', 'x.xhtml', 'x.pdf'])(
    'serves %j as bytes only',
    (name) => {
      expect(contentTypeOf(name)).toBe(OCTETS);
    },
  );
});

describe('keys', () => {
  const image = { kind: 'image', extension: 'png' } as const;

  it('do not collide', () => {
    const keys = new Set(Array.from({ length: 100_000 }, () => makeKey(image, 1_795_460_610_911)));
    expect(keys.size).toBe(100_000);
  });

  it('tell their kind and a tag', () => {
    const key = makeKey({ kind: 'video', extension: 'mp4' });
    expect([isKey(key), kindOfKey(key)]).toEqual([true, 'video']);
    expect(etagOf(key, 10)).not.toBe(etagOf(key, 11));
    expect(etagOf(key, 10)).toMatch(/^"video_\d+_[0-9a-f]{12}-a"$/);
  });

  it('never lead out of the folder', () => {
    const alphabet = [
      '..',
      '/',
      '\\',
      '\0',
      '%2e',
      '.',
      'image_1_000000000000.png',
      '\n',
      'é',
      '~',
      ' ',
      '_',
    ];
    for (let round = 0; round < 20_000; round++) {
      const parts = Array.from(randomBytes(1 + (round % 6)), (byte) => alphabet[byte % alphabet.length]);
      const text = parts.join('');
      if (isKey(text)) expect(resolve(join('/root/dir', text)).startsWith(`/root/dir${sep}`)).toBe(true);
      else expect(text).not.toBe('image_1_000000000000.png');
    }
  });
});
