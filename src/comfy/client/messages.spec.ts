import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parseBinaryFrame } from './binary-frame.js';
import { readHistoryEntry } from './history.js';
import { parseTextFrame } from './messages.js';

interface Line {
  dir: string;
  kind: string;
  path?: string;
  json?: Record<string, unknown>;
  eventType?: number;
  base64?: string;
}

const folder = new URL('../../../test/comfyui/recordings/', import.meta.url);
const recordings = readdirSync(folder).flatMap((version) =>
  readdirSync(new URL(`${version}/`, folder))
    .filter((name) => name.endsWith('.jsonl'))
    .map((name) => ({ name: `${version}/${name}`, url: new URL(`${version}/${name}`, folder) })),
);
const linesOf = (url: URL) =>
  readFileSync(url, 'utf8')
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Line);

describe.each(recordings)('recording $name', ({ url }) => {
  const received = linesOf(url).filter(({ dir }) => dir === '<');

  it('has no frame that we do not know', () => {
    for (const { kind, json, base64, eventType } of received) {
      if (kind === 'ws-text') {
        const message = parseTextFrame(Buffer.from(JSON.stringify(json)));
        expect(message, JSON.stringify(json)).toBeDefined();
        expect(message?.type.replace('_untagged', '')).toBe(json?.['type']);
      }
      // Some long recordings keep only the head of a frame.
      // Texts (type 3) are nobody's output (26).
      if (kind === 'ws-binary' && base64 !== undefined && eventType !== 3) {
        const image = parseBinaryFrame(Buffer.from(base64, 'base64'));
        // Text of extensions goes to every socket (26), and nothing here shows it.
        if (eventType === 3) {
          expect(image).toBeUndefined();
          continue;
        }
        expect(image?.mime).toMatch(/^image\/(png|jpeg)$/);
        expect(image?.tag === undefined).toBe(eventType === 1);
      }
    }
  });

  it('has no history entry that we misread', () => {
    for (const { json } of received) {
      for (const entry of Object.values(json ?? {})) {
        if (typeof entry !== 'object' || entry === null || !('status' in entry) || !('prompt' in entry))
          continue;
        // The workflow may say what it likes.
        const text = JSON.stringify(entry.status);
        const expected = text.includes('"execution_error"')
          ? 'error'
          : text.includes('"execution_interrupted"')
            ? 'interrupted'
            : 'success';
        expect(readHistoryEntry(entry)?.ended).toBe(expected);
      }
    }
  });
});

describe('parseTextFrame', () => {
  const parse = (text: string) => parseTextFrame(Buffer.from(text));

  it.each(['{"type":"new","data":{}}', '{"type":"logs","data":[]}', '{"data":{}}'])(
    'lets %j pass by',
    (text) => expect(parse(text)).toBeUndefined(),
  );

  it.each(['', 'null', '[]', '{"type":', '{"type":"executed"}', '{"type":"executed","data":{}}'])(
    'says that %j cannot be read',
    (text) => expect(parse(text)).toEqual({ type: 'unreadable' }),
  );

  it('says whose a frame is that does not hold what its kind promises', () => {
    expect(parse('{"type":"executed","data":{"prompt_id":"p","node":"5","output":"x"}}')).toEqual({
      type: 'unreadable',
      promptId: 'p',
    });
  });

  it('reads what Python writes for numbers that JSON does not know', () => {
    const text =
      '{"type": "executed", "data": {"node": "5", "prompt_id": "p", "output": {"score": [NaN, 18446744073709551615]}}}';
    expect(parse(text)).toMatchObject({
      type: 'executed',
      displayNode: '5',
      output: { score: [NaN, 18446744073709551615n] },
    });
    expect(
      parse('{"type": "progress", "data": {"node": "5", "prompt_id": "p", "value": NaN, "max": NaN}}'),
    ).toEqual({ type: 'progress', promptId: 'p', node: '5', value: 0, max: 0 });
    expect(
      parse('{"type": "executed", "data": {"node": "5", "prompt_id": "p", "output": null}}'),
    ).toMatchObject({
      output: {},
    });
  });

  it('parses a progress_state when it is read, and not before', () => {
    const head = '{"type": "progress_state", "data": {"prompt_id": "p", "nodes": ';
    const message = parse(`${head}{"1": {"value": NaN, "max": 2.0, "state": "running", "activity": "x"}}}}`);
    if (message?.type !== 'progress_state') return expect.fail('another kind');
    expect(message.frame.read()).toEqual([
      { node: '1', displayNode: '1', value: 0, max: 2, state: 'running' },
    ]);
    const torn = parse(`${head}{"1": `);
    expect(torn?.type === 'progress_state' && torn.frame.read()).toEqual([]);
  });
});

describe('parseBinaryFrame', () => {
  const frame = (type: number, second: number, rest = '') => {
    const head = Buffer.alloc(8);
    head.writeUInt32BE(type, 0);
    head.writeUInt32BE(second, 4);
    return Buffer.concat([head, Buffer.from(rest)]);
  };

  it.each([
    ['too short', Buffer.alloc(7)],
    ['text of an extension', frame(3, 1, 'a')],
    ['unknown format', frame(1, 9, 'x')],
    ['metadata longer than the frame', frame(4, 4_000_000_000, '{}')],
    ['metadata that is not JSON', frame(4, 2, '{]')],
    ['metadata without a prompt', frame(4, 2, '{}')],
  ])('lets a frame pass by: %s', (_, bytes) => {
    expect(parseBinaryFrame(bytes)).toBeUndefined();
  });
});
