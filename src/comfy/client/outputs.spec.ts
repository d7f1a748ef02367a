import { describe, expect, it } from 'vitest';
import { readNodeOutput } from './outputs.js';

const file = (filename: string) => ({ filename, subfolder: '', type: 'output' });
const read = (output: Record<string, unknown>) =>
  readNodeOutput('9.0.1', '9', output).map((made) =>
    made.form === 'file' ? made.file.filename : made.form === 'text' ? { text: made.text } : made.form,
  );

it('walks every list, whatever its name, and leaves flags out', () => {
  const output = {
    images: [file('a.png'), file('b.mp4')],
    animated: [true],
    gifs: [file('c.gif')],
    audio: [file('d.flac')],
    latents: [file('e.latent')],
    text: ['hello'],
    broken: [null, { filename: '' }, { filename: 3 }],
    not_a_list: file('x.png'),
  };
  expect(read(output)).toEqual(['a.png', 'b.mp4', 'c.gif', 'd.flac', 'e.latent', { text: 'hello' }, 'x.png']);
  expect(
    readNodeOutput('9.0.1', '9', output).every(
      ({ node, displayNode }) => node === '9.0.1' && displayNode === '9',
    ),
  ).toBe(true);
});

describe('data', () => {
  it.each([
    ['numbers', { value: [3.5, 0] }, ['3.5', '0']],
    ['truth values without files', { ok: [true, false] }, ['true', 'false']],
    ['objects and lists', { boxes: [{ x: 1 }, [1, 2]] }, ['{"x":1}', '[1,2]']],
    ['texts, empty and equal ones too', { text: ['', 'cat', 'cat'] }, ['', 'cat', 'cat']],
  ])('%s', (_, output, texts) => {
    expect(read(output)).toEqual(texts.map((text) => ({ text })));
  });

  it('beside files: numbers are data, truth values are not', () => {
    expect(read({ images: [file('a.png')], score: [0.9], animated: [false] })).toEqual([
      'a.png',
      { text: '0.9' },
    ]);
  });
});

describe('shapes', () => {
  it.each([
    [
      'a text in place of a list, which ComfyUI splits',
      { text: Array.from('hello world 😀') },
      ['hello world 😀'],
    ],
    ['a text of one letter', { text: ['a'] }, ['a']],
    ['texts of several letters', { text: ['a', 'bc'] }, ['a', 'bc']],
    [
      'values that are no lists',
      { a: 'x y', b: 3, c: true, d: { x: 1 }, e: null },
      ['x y', '3', 'true', '{"x":1}'],
    ],
    ['nested lists of data', { a: [[1, 2], ['x']] }, ['[1,2]', '["x"]']],
    [
      'numbers that JSON has not',
      { a: [NaN, Infinity, { x: -Infinity }] },
      ['NaN', 'Infinity', '{"x":-Infinity}'],
    ],
    [
      'paths of the machine',
      { text: ['at /srv/ComfyUI/a.png', { p: 'C:\\\\x\\\\a.png' }] },
      ['at …/a.png', '{"p":"…/a.png"}'],
    ],
  ])('%s', (_, output, texts) => {
    expect(read(output)).toEqual(texts.map((text) => ({ text })));
  });

  it('finds files in nested lists', () => {
    expect(read({ images: [[file('a.png'), file('b.png')], [[file('c.png')]]] })).toEqual([
      'a.png',
      'b.png',
      'c.png',
    ]);
  });

  it('moves a folder from the name into the subfolder', () => {
    const [made] = readNodeOutput('1', '1', { images: [{ filename: 'sub/x.png', subfolder: 'a' }] });
    expect(made).toMatchObject({ file: { filename: 'x.png', subfolder: 'a/sub', type: 'output' } });
  });
});

describe('strings that may name files', () => {
  const shown = (output: Record<string, unknown>) =>
    readNodeOutput('1', '1', output).map((made) =>
      made.form === 'file' ? [made.file.type, made.file.subfolder, made.file.filename, made.orText] : made,
    );

  it('the model of a 3D node, and its background; not how to show it', () => {
    expect(shown({ result: ['mesh/a.glb', { position: 1 }, 'temp/bg_1.png'] })).toEqual([
      ['output', 'mesh', 'a.glb', 'mesh/a.glb'],
      ['temp', '', 'bg_1.png', 'temp/bg_1.png'],
    ]);
    expect(shown({ result: ['a.glb', null, null] })).toEqual([['output', '', 'a.glb', 'a.glb']]);
  });

  it('absolute paths below folders of ComfyUI', () => {
    expect(shown({ files: ['/srv/ComfyUI/output/x/a.txt', 'D:\\ComfyUI\\temp\\b.png'] })).toEqual([
      ['output', 'x', 'a.txt', '…/a.txt'],
      ['temp', '', 'b.png', '…/b.png'],
    ]);
  });

  it.each([
    [{ text: ['mesh/a.glb'] }],
    [{ result: ['a sentence'] }],
    [{ result: ['https://example.com/a.glb'] }],
    [{ files: ['/etc/other/a.txt'] }],
    [{ result: ['../a.glb'] }],
  ])('no file: %j', (output) => {
    expect(readNodeOutput('1', '1', output)).toMatchObject([{ form: 'text' }]);
  });
});
