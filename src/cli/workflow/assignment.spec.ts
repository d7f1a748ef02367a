import { describe, expect, it } from 'vitest';
import { parseAssignment } from './assignment.js';

const valueOf = (text: string) => {
  const { value } = parseAssignment(`6.text=${text}`);
  return value.kind === 'value' ? value.value : value;
};

describe('parseAssignment', () => {
  it.each<[string, unknown]>([
    ['a red fox', 'a red fox'],
    ['', ''],
    ['42', 42],
    ['-1.5e3', -1500],
    ['true', true],
    ['null', null],
    ['"42"', '42'],
    ['["4", 1]', ['4', 1]],
    ['18446744073709551615', 18_446_744_073_709_551_615n],
    ['a=b=c', 'a=b=c'],
    ['042', '042'],
    ['{not json', '{not json'],
    ['@@text', '@text'],
    ['@@42', '@42'],
    ['two\nlines', 'two\nlines'],
  ])('%s', (text, value) => expect(valueOf(text)).toEqual(value));

  it('takes the name of a file as it is', () => {
    expect(valueOf('@my photos/a=b.png')).toEqual({ kind: 'file', path: 'my photos/a=b.png' });
  });

  it('divides at the first equals sign only', () => {
    expect(parseAssignment('57:8.mode.width=1')).toMatchObject({ target: '57:8.mode.width' });
  });

  it.each(['6.text', '6=x', '=x', '.text=x', '6.=x', '6.image=@'])('%s is a mistake', (source) => {
    expect(() => parseAssignment(source)).toThrow(
      expect.objectContaining({
        exit: 2,
        hint: expect.stringContaining('--set <node>.<input>=<value>') as string,
      }),
    );
  });
});
