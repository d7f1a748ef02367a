import { describe, expect, it } from 'vitest';
import { parsePythonJson, stringifyPythonJson } from './python-json.js';

const exact = (text: string) => parsePythonJson(text, { exactIntegers: true });

describe('parsePythonJson', () => {
  it('reads what Python writes for numbers that JSON does not know', () => {
    expect(parsePythonJson('{"score": [NaN, Infinity, -Infinity], "x": {"y": NaN}}')).toEqual({
      score: [NaN, Infinity, -Infinity],
      x: { y: NaN },
    });
    expect(parsePythonJson('NaN')).toBeNaN();
    expect(parsePythonJson('[NaN]')).toEqual([NaN]);
  });

  it('leaves strings as they are', () => {
    const text = String.raw`{"NaN": "NaN, Infinity", "a\"NaN": "[NaN]", "b": "\\", "c": NaN, "d": "\\\"NaN"}`;
    expect(parsePythonJson(text)).toEqual({
      NaN: 'NaN, Infinity',
      'a"NaN': '[NaN]',
      b: '\\',
      c: NaN,
      d: '\\"NaN',
    });
  });

  it('skips a byte order mark, and keeps lone surrogates', () => {
    expect(parsePythonJson('\ufeff{"a": 1}')).toEqual({ a: 1 });
    expect(parsePythonJson(String.raw`["\ud800", NaN]`)).toEqual(['\ud800', NaN]);
  });

  it('keeps long integers exactly where that is asked for', () => {
    const text =
      '{"seed": 18446744073709551615, "small": 1234567890123456, "s": "18446744073709551615", "f": 0.5}';
    expect(exact(text)).toEqual({
      seed: 18446744073709551615n,
      small: 1234567890123456,
      s: '18446744073709551615',
      f: 0.5,
    });
    expect(parsePythonJson(text)).toMatchObject({ seed: 18446744073709552000 });
    expect(exact('[-12345678901234567890, NaN, 12345678901234567890.5, 12345678901234567890e3]')).toEqual([
      -12345678901234567890n,
      NaN,
      Number('12345678901234567890.5'),
      Number('12345678901234567890e3'),
    ]);
  });

  it.each([
    '',
    '<html>NaN</html>',
    '{"a": NaN',
    '[NaNNaN]',
    '[1NaN]',
    '[-Infinity5]',
    '[- Infinity]',
    '[xInfinity]',
    '{NaN: 1}',
    '"NaN',
    '[nan]',
  ])('refuses %s', (text) => {
    expect(() => parsePythonJson(text)).toThrow(SyntaxError);
    expect(() => exact(text)).toThrow(SyntaxError);
  });

  it('is not misled by its own tags', () => {
    const once = parsePythonJson('["00000000-0000-0000-0000-000000000000:NaN", NaN]');
    expect(once).toEqual(['00000000-0000-0000-0000-000000000000:NaN', NaN]);
  });

  it('reads a large document in linear time', () => {
    const text = `[${'"\\\\\\"NaN", NaN, {"k": "v"}, '.repeat(50_000)}1]`;
    expect(parsePythonJson(text)).toHaveLength(150_001);
  });
});

describe('stringifyPythonJson', () => {
  it.each([
    [NaN, 'NaN'],
    [-Infinity, '-Infinity'],
    [0.5, '0.5'],
    [18446744073709551615n, '18446744073709551615'],
    [null, 'null'],
    [true, 'true'],
    ['a"b', '"a\\"b"'],
    [{ a: [1, NaN, { b: 'x' }], c: null }, '{"a":[1,NaN,{"b":"x"}],"c":null}'],
  ])('writes %s', (value, text) => {
    expect(stringifyPythonJson(value)).toBe(text);
  });
});
