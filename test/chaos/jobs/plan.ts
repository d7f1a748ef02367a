import type { Graph } from '../../comfyui/index.js';
import { Dice } from '../dice.js';
import type { ExpectedFile } from './expected-file.js';

/** One call, and what has to come of it. */
export interface JobPlan {
  number: number;
  /** In `_meta` of its nodes, by which the stand-ins' journals name it. */
  title: string;
  kind: JobKind;
  path: '/api/generate' | '/api/generate_file';
  body: Record<string, unknown>;
  /** `url`: JSON with links. */
  answer: 'url' | 'file';
  expected: Expected;
  /** Milliseconds after which the caller hangs up. */
  hangUpAfterMs: number | undefined;
}

export type Expected =
  | { files: readonly ExpectedFile[]; index: number }
  /** It cannot succeed, and this is why. */
  | { code: string };

const KINDS = {
  colour: 28,
  'two colours': 12,
  slow: 24,
  bytes: 10,
  websocket: 12,
  raise: 7,
  invalid: 7,
} as const;

export type JobKind = keyof typeof KINDS;

const OUTPUT = '277';
const HANG_UP = 0.08;

/** Sizes that no other job has: so far apart, and one for each job. */
const BYTES_STEP = 7;
const BYTES_MIN = 10_000;

type Made = { workflow: unknown; output?: string | number } & Expected;

/** What call number `n` is; the same for a seed, whenever it is made. */
export function planJob(seed: number, number: number): JobPlan {
  const dice = new Dice(seed, `job ${number}`);
  const kind = dice.weighted(KINDS);
  const title = `chaos ${number}`;
  const made = make(kind, { number, title, dice });
  const { workflow, output } = made;
  const answer = dice.chance(0.6) ? 'url' : 'file';
  const path = answer === 'file' && dice.chance(0.5) ? '/api/generate_file' : '/api/generate';
  const index = 'index' in made ? made.index : 0;
  const body = {
    workflow_data: workflow,
    ...(output === undefined ? {} : { output_node_id: output }),
    ...(index === 0 ? {} : { output_index: index }),
    ...(path === '/api/generate' ? { response_type: answer } : {}),
  };
  const hangUpAfterMs = dice.chance(HANG_UP) ? Math.floor(600 * dice.roll() ** 2) : undefined;
  return { number, title, kind, path, body, answer, expected: expectedOf(made), hangUpAfterMs };
}

const expectedOf = (made: Made): Expected =>
  'code' in made ? { code: made.code } : { files: made.files, index: made.index };

interface Making {
  number: number;
  title: string;
  dice: Dice;
}

function make(kind: JobKind, making: Making): Made {
  const { number, title, dice } = making;
  const picture = pictureOf(making, 0);
  const output = dice.chance(0.3) ? undefined : dice.pick([OUTPUT, Number(OUTPUT)]);
  const one = (workflow: Graph): Made => ({
    workflow,
    ...(output === undefined ? {} : { output }),
    files: [picture],
    index: 0,
  });
  switch (kind) {
    case 'colour':
      return one({ '1': empty(picture), [OUTPUT]: save('1', title) });
    case 'slow':
      return one({ '1': empty(picture), '2': slow(making), [OUTPUT]: save('2', title) });
    case 'websocket':
      return dice.chance(0.5)
        ? one({ '1': empty(picture), [OUTPUT]: socket('1', title) })
        : pair(making, socket('3', title));
    case 'two colours':
      return pair(making, save('3', title));
    case 'bytes': {
      const size = BYTES_MIN + BYTES_STEP * number + 20_000 * BYTES_STEP * dice.between(0, 15);
      const inputs = { size, extension: 'png', filename_prefix: 'bytes' };
      const workflow = { [OUTPUT]: { class_type: 'ProbeBytes', inputs, _meta: { title } } };
      return { workflow, output: OUTPUT, files: [{ type: 'bytes', size }], index: 0 };
    }
    case 'raise': {
      const raise = { class_type: 'ProbeRaise', inputs: { image: ['1', 0], kind: 'ValueError' } };
      return {
        workflow: { '1': empty(picture), '2': raise, [OUTPUT]: save('2', title) },
        output: OUTPUT,
        code: 'node_execution_error',
      };
    }
    case 'invalid':
      return invalid(making, picture);
  }
}

/** A workflow that no ComfyUI takes, or that we do not. */
function invalid({ title, dice }: Making, picture: Picture): Made {
  const right = { '1': empty(picture), [OUTPUT]: save('1', title) };
  const invalidWorkflow = (workflow: Graph): Made => ({ workflow, output: OUTPUT, code: 'invalid_workflow' });
  switch (dice.pick(['class', 'range', 'link', 'ui', 'output'] as const)) {
    case 'class':
      return invalidWorkflow({ ...right, '1': { class_type: 'NoSuchNode', inputs: {} } });
    case 'range':
      return invalidWorkflow({ ...right, '1': empty({ ...picture, width: 0 }) });
    case 'link':
      return invalidWorkflow({ ...right, [OUTPUT]: save('9', title) });
    case 'ui':
      return { workflow: { nodes: [], links: [] }, code: 'workflow_format_ui' };
    case 'output':
      return { workflow: right, output: '404', code: 'output_node_not_found' };
  }
}

type Picture = ExpectedFile & { type: 'picture' };

/** A colour for each job and each of its two pictures: an odd factor makes every number another colour. */
function pictureOf({ number, dice }: Making, which: 0 | 1): Picture {
  const colour = Math.imul(2 * number + which, 0x9e3779) & 0xff_ff_ff;
  return { type: 'picture', width: dice.between(8, 96), height: dice.between(8, 96), colour };
}

/** Two pictures of one size in one batch. */
function pair(making: Making, output: Graph[string]): Made {
  const first = pictureOf(making, 0);
  const second = { ...pictureOf(making, 1), width: first.width, height: first.height };
  const batch = { class_type: 'ImageBatch', inputs: { image1: ['1', 0], image2: ['2', 0] } };
  return {
    workflow: { '1': empty(first), '2': empty(second), '3': batch, [OUTPUT]: output },
    output: OUTPUT,
    files: [first, second],
    index: making.dice.between(0, 1),
  };
}

function empty({ width, height, colour }: Picture): Graph[string] {
  return { class_type: 'EmptyImage', inputs: { width, height, batch_size: 1, color: colour } };
}

function slow({ number, dice }: Making): Graph[string] {
  const inputs = {
    image: ['1', 0],
    steps: dice.between(2, 12),
    delay_ms: dice.between(5, 60),
    preview: dice.chance(0.3),
    salt: number,
  };
  return { class_type: 'ProbeSlowImage', inputs };
}

function save(from: string, title: string): Graph[string] {
  return {
    class_type: 'SaveImage',
    inputs: { images: [from, 0], filename_prefix: 'chaos' },
    _meta: { title },
  };
}

function socket(from: string, title: string): Graph[string] {
  return { class_type: 'SaveImageWebsocket', inputs: { images: [from, 0] }, _meta: { title } };
}
