import { expect, it } from 'vitest';
import { readNodeOutput } from './outputs.js';

const file = (filename: string) => ({ filename, subfolder: '', type: 'output' });

it('walks every list, whatever its name, and leaves flags out', () => {
  const outputs = readNodeOutput('9.0.1', '9', {
    images: [file('a.png'), file('b.mp4')],
    animated: [true],
    gifs: [file('c.gif')],
    audio: [file('d.flac')],
    latents: [file('e.latent')],
    text: ['hello'],
    broken: [null, 3, {}, { filename: '' }],
    not_a_list: { filename: 'x' },
  });
  expect(outputs.map((output) => (output.form === 'file' ? output.file.filename : output.form))).toEqual([
    'a.png',
    'b.mp4',
    'c.gif',
    'd.flac',
    'e.latent',
    'text',
  ]);
  expect(outputs.every(({ node, displayNode }) => node === '9.0.1' && displayNode === '9')).toBe(true);
});
