import { describe, expect, it } from 'vitest';
import { printable, printableJson, printableStack } from './index.js';

describe('printable', () => {
  it.each([
    ['', ''],
    ['plain text, 图片, é, 😀, a\u200db', 'plain text, 图片, é, 😀, a\u200db'],
    ['a\nb\r\n\tc', 'a\\nb\\r\\n\\tc'],
    ['\u0000\u001b[31m\u007f\u0085\u009b', '\\u0000\\u001b[31m\\u007f\\u0085\\u009b'],
    ['\u2028\u2029\u202e\u2066\u061c', '\\u2028\\u2029\\u202e\\u2066\\u061c'],
  ])('%j', (text, expected) => expect(printable(text)).toBe(expected));
});

describe('printableJson', () => {
  it('says the same, and keeps the lines of its own', () => {
    const value = { 'a\u202e': ['\n\u001b\u007f\u009b\u2028', '图'] };
    const text = printableJson(JSON.stringify(value, null, 2));
    expect(JSON.parse(text)).toEqual(value);
    expect(text.split('\n')).toHaveLength(6);
    expect(text).toMatch(/^[\n\u0020-\u007e图]*$/);
  });
});

describe('printableStack', () => {
  it('gives the message one line, and each frame its own', () => {
    const frames = [
      '    at f (file:///a.js:1:2)',
      '    at async Promise.all (index 0)',
      '    at node:fs:1:2',
    ];
    expect(printableStack(`Error: a\nb\n${frames.join('\n')}\n`).split('\n')).toEqual([
      'Error: a\\nb',
      ...frames,
    ]);
    expect(printableStack('Error: a\n    at forged\n    at x:1:2\nb')).not.toContain('\n');
  });
});
