import { describe, expect, it } from 'vitest';
import { findJsonFault } from './json-fault.js';

describe('findJsonFault', () => {
  it.each<[string, number, number, RegExp]>([
    ['', 1, 1, /a value .* but it ends here/],
    ['{', 1, 2, /a name in double quotes, but it ends here/],
    ['{"a":1', 1, 7, /a comma or \}, but it ends here/],
    ['{"a":1,}', 1, 8, /a name .*comma before a closing bracket/],
    ['[1,\n 2,\n]', 3, 1, /a value .*comma before a closing bracket/],
    ["{'a':1}", 1, 2, /single quotes/],
    ['{“a”:1}', 1, 2, /curly quotes/],
    ['{"a" 1}', 1, 6, /a colon/],
    ['{"a":True}', 1, 6, /True/],
    ['{"a":NaN}', 1, 6, /NaN/],
    ['{"a":-Infinity}', 1, 6, /a value/],
    ['{"a":01}', 1, 6, /a value/],
    ['{"a":1.}', 1, 6, /a value/],
    ['{"a":"x\ny"}', 1, 8, /control character/],
    ['{"a":"C:\\dir"}', 1, 9, /backslash/],
    ['{"a":"\\u12"}', 1, 7, /\\uXXXX/],
    ['{"a":"x', 1, 8, /closing double quote/],
    ['// note\n{}', 1, 1, /comments/],
    ['{} {}', 1, 4, /nothing more/],
    ['[1 2]', 1, 4, /a comma or \]/],
    ['{"a":[1}', 1, 8, /a comma or \]/],
    ['{"😀😀":x}', 1, 7, /a value/],
    ['{\r\n  "a": 1\r\n  "b": 2\r\n}', 3, 3, /a comma or \}/],
  ])('%j: line %i, column %i', (text, line, column, expected) => {
    expect(() => JSON.parse(text) as unknown).toThrow(SyntaxError);
    expect(findJsonFault(text)).toEqual({
      line,
      column,
      expected: expect.stringMatching(expected) as string,
    });
  });

  it.each([
    'null',
    ' [ ] ',
    '{"a":{"b":[1,-0.5e+3,"\\ud800\\n",true,false,null,{}]},"c":""}',
    '"x"',
    `${'['.repeat(5_000)}${']'.repeat(5_000)}`,
  ])('%.40s keeps to the grammar', (text) => {
    JSON.parse(text);
    expect(findJsonFault(text)).toBeUndefined();
  });
});
