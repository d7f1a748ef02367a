import { describe, expect, it } from 'vitest';
import { inJobFolder, isInJobFolder, jobFolder, withCleanNames } from './job-folder.js';

const ID = '7b87c392-de65-410f-9557-0ac08ad2a975';
const FOLDER = jobFolder(ID, 1, new Date('2026-11-30T10:00:00Z'));
const node = (class_type: string, filename_prefix: unknown) => ({
  '1': { class_type, inputs: { filename_prefix } },
});
const prefixOf = (class_type: string, prefix: unknown) =>
  inJobFolder(node(class_type, prefix), FOLDER)['1']?.inputs?.['filename_prefix'];

describe('inJobFolder', () => {
  it.each(['SaveImage', 'SaveVideo', 'SaveAudioOpus', 'SaveGLB', 'VHS_VideoCombine'])('%s', (name) => {
    expect(prefixOf(name, 'a/b')).toBe(`${FOLDER}/a/b`);
  });

  it.each(['CheckpointSave', 'LoraSave', 'SaveImageDataSetToFolder', 'Image Save', 'Whatever'])(
    'leaves %s alone',
    (name) => {
      expect(prefixOf(name, 'loras/a')).toBe('loras/a');
    },
  );

  it('leaves a link alone', () => {
    expect(prefixOf('SaveImage', ['2', 0])).toEqual(['2', 0]);
  });

  it.each([
    ['/abs/a', 'abs/a'],
    ['../../a', 'a'],
    ['x/../../../y', 'x/y'],
    ['a..b', 'a__b'],
    ['..', 'ComfyUI'],
    ['', 'ComfyUI'],
    ['./', 'ComfyUI'],
    ['C:\\x\\a', 'x\\a'],
    ['\\\\nas\\share\\a', 'nas\\share\\a'],
    ['50%/日本', '50%/日本'],
  ])('%j stays inside', (prefix, inside) => {
    expect(prefixOf('SaveImage', prefix)).toMatch(/^sync\//);
    expect((prefixOf('SaveImage', prefix) as string).replace(/\/{2,}/g, '/')).toBe(`${FOLDER}/${inside}`);
  });
});

it('cleans names of what no name holds, and nothing else', () => {
  const clean = (inputs: Record<string, unknown>) =>
    withCleanNames({ '1': { class_type: 'Any', inputs } })['1']?.inputs;
  expect(clean({ filename_prefix: 'a\nb\r\u0000\u007f\u2028\ud800' })).toEqual({
    filename_prefix: 'a_b_____',
  });
  const others = { text: 'a\nb', filename: ['2', 0], filename_prefix: '日本 %date% 😀' };
  expect(clean(others)).toEqual(others);
});

describe('isInJobFolder', () => {
  it.each([FOLDER, `${FOLDER}/a`, FOLDER.replaceAll('/', '\\'), `2026-11-30/${FOLDER}`])(
    '%s',
    (subfolder) => {
      expect(isInJobFolder(subfolder, ID, 1)).toBe(true);
    },
  );

  it.each(['', 'sync', `${FOLDER}-2`, `${FOLDER}/../x`, ID, `x/${ID}`])('not %s', (subfolder) => {
    expect(isInJobFolder(subfolder, ID, 1)).toBe(false);
  });

  it('tells tries apart', () => {
    expect(isInJobFolder(jobFolder(ID, 2, new Date()), ID, 1)).toBe(false);
    expect(isInJobFolder(jobFolder(ID, 2, new Date()), ID, 2)).toBe(true);
  });
});
