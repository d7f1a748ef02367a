import { describe, expect, it } from 'vitest';
import { jobFolder } from '../workflow/index.js';
import { OutputProof } from './output-proof.js';

const JOB = '7b87c392-de65-410f-9557-0ac08ad2a975';
const START = 1_764_555_000_400;
const END = 1_764_555_003_100;

function proof(times: { start?: number; end?: number } = { start: START, end: END }): OutputProof {
  const made = new OutputProof({
    job: JOB,
    attempt: 1,
    workflow: { '1': { class_type: 'LoadImage', inputs: { image: 'cat.png [input]' } } },
  });
  made.noteTimes({ start: times.start, end: times.end });
  return made;
}

/** As aiohttp writes it. */
const etag = (ms: number) => `${(BigInt(Math.round(ms * 1_000)) * 1_000n).toString(16)}-57`;
const seen = (at: Partial<{ etag: string; lastModified: number }>) => ({
  etag: undefined,
  lastModified: undefined,
  ...at,
});

describe('by its name', () => {
  it.each([
    ['in the job folder', { filename: 'a.png', subfolder: jobFolder(JOB, 1, new Date()), type: 'output' }],
    ['a core preview', { filename: 'ComfyUI_temp_abcde_00001_.png', subfolder: '', type: 'temp' }],
    ['an input that we brought', { filename: 'x.png', subfolder: 'comfy-sync', type: 'input' }],
    ['an input that the workflow names', { filename: 'cat.png', subfolder: '', type: 'input' }],
  ])('own: %s', (_, file) => {
    expect(proof().isOwn(file)).toBe(true);
  });

  it.each([
    ['a fixed name', { filename: 'a.png', subfolder: '', type: 'output' }],
    ['another try', { filename: 'a.png', subfolder: jobFolder(JOB, 2, new Date()), type: 'output' }],
    ['a fixed name in temp', { filename: 'a.png', subfolder: '', type: 'temp' }],
    ['an input that nobody named', { filename: 'dog.png', subfolder: '', type: 'input' }],
  ])('to be shown: %s', (_, file) => {
    expect(proof().isOwn(file)).toBe(false);
  });
});

describe('by the time of its writing', () => {
  it.each([
    ['while it ran', etag(START + 5)],
    ['a clock tick before', etag(START - 9)],
    ['in the last millisecond', etag(END + 0.9)],
  ])('own: %s', (_, tag) => {
    expect(() => proof().expectWrittenByRun(seen({ etag: tag }))).not.toThrow();
  });

  it.each([
    ['before', etag(START - 11)],
    ['after', etag(END + 1.5)],
  ])('refused: %s', (when, tag) => {
    expect(() => proof().expectWrittenByRun(seen({ etag: tag }))).toThrow(when);
  });

  it.each([
    [START - 400, true],
    [END + 900, true],
    [START - 1_400, false],
    [END + 1_900, false],
  ])('by whole seconds, where a proxy leaves no more: %i', (lastModified, own) => {
    const look = () => proof().expectWrittenByRun(seen({ etag: 'of-a-proxy', lastModified }));
    if (own) expect(look).not.toThrow();
    else expect(look).toThrow('the prompt ran');
  });

  it('refused where nothing tells', () => {
    expect(() => proof().expectWrittenByRun(seen({}))).toThrow('neither ETag nor Last-Modified');
    expect(() => proof({ start: START }).expectWrittenByRun(seen({ etag: etag(START) }))).toThrow(
      'when the prompt ran',
    );
  });

  it('refused where it changes between two looks', () => {
    const first = seen({ etag: etag(START) });
    expect(() => proof().expectUnchanged(first, { ...first })).not.toThrow();
    expect(() => proof().expectUnchanged(first, seen({ etag: etag(END) }))).toThrow('overwritten');
  });
});
