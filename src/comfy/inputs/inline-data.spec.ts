import { randomBytes } from 'node:crypto';
import { buffer } from 'node:stream/consumers';
import { describe, expect, it } from 'vitest';
import { decodeInline } from './inline-data.js';

const read = async (text: string) => (await buffer(decodeInline(text))).toString('latin1');

describe('bytes in a workflow', () => {
  it.each([
    ['aGVsbG8=', 'hello'],
    ['aGVsbG8', 'hello'],
    ['aGVs\r\n bG8=\n', 'hello'],
    ['-_-_', '\xfb\xff\xbf'],
    ['data:;base64,-_8', '\xfb\xff'],
    ['data:text/plain;base64,aGVsbG8=', 'hello'],
    ['DATA:;BASE64,aGVsbG8=', 'hello'],
    ['data:text/plain;charset=utf-8;base64,aGVs%62G8%3D', 'hello'],
    ['data:,a%20b', 'a b'],
    ['data:text/plain,hello', 'hello'],
  ])('%j is read', async (text, bytes) => {
    expect(await read(text)).toBe(bytes);
  });

  it.each([
    'aGVs*bG8=',
    'aGVsbG8=aGVs',
    'aGVsb',
    'data:image/png',
    'data:,%',
    'data:;base64,%zz',
    'aGV=s',
    '====',
  ])('%j is refused', async (text) => {
    await expect((async () => read(text))()).rejects.toMatchObject({ name: 'InlineDataError' });
  });

  it('is decoded in parts, wherever those are cut', async () => {
    for (const size of [196_607, 196_608, 196_609, 1_000_000]) {
      const bytes = randomBytes(size);
      for (const text of [bytes.toString('base64'), bytes.toString('base64').replace(/(.{75})/g, '$1\n')]) {
        expect((await buffer(decodeInline(text))).equals(bytes)).toBe(true);
      }
    }
  });
});
