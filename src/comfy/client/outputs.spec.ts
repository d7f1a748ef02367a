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
    not_a_list: { filename: 'x' },
  };
  expect(read(output)).toEqual(['a.png', 'b.mp4', 'c.gif', 'd.flac', 'e.latent', { text: 'hello' }]);
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
