import { describe, expect, it } from 'vitest';
import { readText } from './body-text.js';

const TEXT = '{"text":"一只猫"}';
/** `一只猫` in GBK. */
const GBK = Buffer.concat([Buffer.from('{"text":"'), Buffer.from('d2bbd6bbc3a8', 'hex'), Buffer.from('"}')]);
const swapped = (bytes: Buffer) => Buffer.from(bytes).swap16();
const UTF16 = Buffer.from(TEXT, 'utf16le');
const MARKED = Buffer.from(`\uFEFF${TEXT}`, 'utf16le');

describe('readText', () => {
  it.each<[string, Buffer, string]>([
    ['UTF-8', Buffer.from(TEXT), 'application/json'],
    ['UTF-8 with a mark', Buffer.from(`\uFEFF${TEXT}`), 'application/json'],
    ['UTF-8 that is named', Buffer.from(TEXT), 'application/json; charset=UTF-8'],
    ['UTF-8 that is named in quotes', Buffer.from(TEXT), 'application/json;charset="utf8"'],
    ['UTF-8 that is called ASCII', Buffer.from(TEXT), 'application/json; charset=us-ascii'],
    ['GBK that is named', GBK, 'application/json; charset=GBK'],
    ['GB18030 that is named', GBK, 'application/json; charset=gb18030'],
    ['UTF-16 that is named', UTF16, 'application/json; charset=utf-16le'],
    ['UTF-16 with its mark', MARKED, 'application/json; charset=utf-16'],
    ['big-endian UTF-16 with its mark', swapped(MARKED), 'application/json; charset=utf-16'],
  ])('%s is read', (_, bytes, type) => {
    expect(readText(bytes, type)).toBe(TEXT);
  });

  it.each<[string, Buffer, string]>([
    ['GBK', GBK, 'application/json'],
    ['GBK that is called UTF-8', GBK, 'application/json; charset=utf-8'],
    ['Latin-1', Buffer.from('{"text":"é"}', 'latin1'), ''],
    ['UTF-16', UTF16, ''],
    ['UTF-16 of ASCII alone', Buffer.from('{"a":1}', 'utf16le'), ''],
    ['big-endian UTF-16', swapped(UTF16), ''],
    ['UTF-16 with its mark', MARKED, ''],
    ['an overlong sequence', Buffer.from('22c0af22', 'hex'), ''],
    ['a surrogate', Buffer.from('22eda08022', 'hex'), ''],
    ['a character cut off', Buffer.from('22e4b8', 'hex'), ''],
    ['GBK that is valid UTF-8 as well', Buffer.from('22d2bbd6bbc3a822', 'hex'), ''],
    ['what is called GBK and is not', Buffer.from('228122', 'hex'), 'application/json; charset=gbk'],
  ])('%s is refused, with what to do', (_, bytes, type) => {
    expect(() => readText(bytes, type)).toThrow(
      expect.objectContaining({
        code: 'invalid_request',
        detail: expect.stringMatching(/^The body is not .*--data-binary.*chcp 65001.*PowerShell/) as string,
      }) as Error,
    );
  });

  it.each(['été à Genève', 'Привет, мир', 'שָׁלוֹם', 'مرحبا', 'naïve Ωμέγα', '±5 µm «д»', 'é д', 'ʘ‿ʘ'])(
    '%s is no GBK',
    (text) => {
      expect(readText(Buffer.from(text))).toBe(text);
    },
  );

  it('names a charset that nobody knows', () => {
    expect(() => readText(Buffer.from('{}'), 'application/json; charset=nonsense')).toThrow(
      expect.objectContaining({ code: 'unsupported_media_type' }) as Error,
    );
  });
});
