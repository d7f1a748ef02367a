import { describe, expect, it } from 'vitest';
import { type JsonLimits, scanJson } from './json-scan.js';
import { parseJson, stringifyJson } from './lossless-json.js';

describe('parseJson', () => {
  it('keeps integers that a double cannot hold, and nothing else', () => {
    const text = String.raw`{"a":18446744073709551615,"b":[-9007199254740993,1e400,0.12345678901234567890],"c":"1:18446744073709551615\"","__proto__":12345678901234567890,"d":1000000000000000000}`;
    const value = parseJson(text) as Record<string, unknown>;
    expect(Object.entries(value)).toEqual([
      ['a', 18446744073709551615n],
      ['b', [-9007199254740993n, Infinity, 0.12345678901234568]],
      ['c', '1:18446744073709551615"'],
      ['__proto__', 12345678901234567890n],
      ['d', 1000000000000000000],
    ]);
    expect(parseJson('18446744073709551615')).toBe(18446744073709551615n);
    expect(stringifyJson({ a: 18446744073709551615n })).toBe('{"a":18446744073709551615}');
  });

  it.each([
    '[01234567890123456789]',
    '{"a":12345678901234567890',
    '[12345678901234567890 1]',
    '12345678901234567890x',
  ])('refuses %s', (text) => {
    expect(() => parseJson(text)).toThrow(SyntaxError);
  });

  it('goes as deep as JSON does', () => {
    const deep = `${'['.repeat(5_000)}12345678901234567890${']'.repeat(5_000)}`;
    expect(stringifyJson((parseJson(deep) as unknown[]).length)).toBe('1');
  });
});

describe('scanJson', () => {
  const LIMITS: JsonLimits = { depth: 3, values: 20, digits: 10, name: 8, outside: 60, escapes: 4 };
  const exceeded = (text: string) => scanJson(text, LIMITS).exceeded;

  it.each<[string, string | undefined]>([
    ['{"a":[1,{"b":2}]}', undefined],
    ['[[[1]],"[[[[[["]', undefined],
    ['[[[[1]]]]', 'depth'],
    [`[${'1,'.repeat(20)}1]`, 'values'],
    [`{${'"a":1,'.repeat(7)}"a":{}}`, undefined],
    ['[12345678901]', 'digits'],
    ['[-1.23456e+789]', 'digits'],
    ['["12345678901234"]', undefined],
    ['{"123456789" : 1}', 'name'],
    [`[1${' '.repeat(60)}]`, 'outside'],
    [String.raw`["\n\n","\\\\"]`, undefined],
    [String.raw`["\n\n","\\\\\n"]`, 'escapes'],
    [String.raw`["\"\"\"\"\""]`, 'escapes'],
    ['["never closed', undefined],
  ])('%s', (text, limit) => {
    expect(exceeded(text)).toBe(limit);
  });

  it('reads texts once, however many there are', () => {
    const text = `[${'"x",'.repeat(200_000)}"\\n"]`;
    const started = process.cpuUsage();
    expect(scanJson(text, { ...LIMITS, values: 1e9, outside: 1e9 }).exceeded).toBeUndefined();
    // It took minutes when each text was looked through to the end.
    expect(process.cpuUsage(started).user).toBeLessThan(5_000_000);
  });
});
