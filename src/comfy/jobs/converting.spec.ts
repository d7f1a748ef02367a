import { Readable } from 'node:stream';
import { of } from 'rxjs';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import type { Assets } from '../../assets/index.js';
import { ImageError, type Images } from '../../images/index.js';
import type { Storage } from '../../storage/index.js';
import type { Backend } from '../backends/index.js';
import type { RunEvent, RunOutput } from '../client/index.js';
import { Job } from './job.js';
import { JobRunner } from './job-runner.js';
import type { JobRequest } from './job.types.js';
import { OutputKeeper } from './output-keeper.js';
import { OutputProof } from './output-proof.js';
import { PictureMemory } from './picture-memory.js';

const MIB = 1024 * 1024;
const LIMITS = { fetchRetryMs: 1_000, refusedRetryMs: 1_000, storeRetryMs: 1_000, totalMs: 50 };

const request: JobRequest = {
  workflow: { '9': { class_type: 'SaveImage', inputs: { images: ['1', 0] } } },
  media: [],
  outputNode: '9',
  allOutputs: false,
  priority: 0,
  caller: '',
  convert: { format: 'avif' },
};

let stored: number;
let removed: string[];
let blamed: unknown[];
let fetched: number;

const storage = {
  put: async (file: { fetch?: () => Promise<{ body: Readable }> }) => {
    (await file.fetch?.())?.body.resume();
    stored += 1;
    return { key: `image_${stored}.png`, kind: 'image', contentType: 'image/png', size: 1, md5: '' };
  },
  link: () => Promise.resolve({ url: '/x', expiresAt: null }),
  discard: () => Promise.resolve(),
} as unknown as Storage;

const assets = {
  register: () => ({ id: `asset-${stored}` }),
  remove: (id: string) => Promise.resolve(removed.push(id) > 0),
} as unknown as Assets;

/** A converter that never gets round to it. */
const waiting = {
  convert: (_source: unknown, _options: unknown, signal: AbortSignal) =>
    new Promise((_, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason as Error));
    }),
} as unknown as Images;

const file = (name: string): RunOutput => ({
  node: '9',
  displayNode: '9',
  kind: 'images',
  form: 'file',
  file: { filename: name, subfolder: 'sync/20261201/ob/job', type: 'output' },
});
const frame = (bytes: number): RunOutput => ({
  node: '9',
  displayNode: '9',
  kind: 'images',
  form: 'memory',
  mime: 'image/png',
  bytes: new Uint8Array(bytes),
});

const backend = {
  name: 'gpu',
  run: () =>
    of<RunEvent[]>(
      { type: 'accepted', promptId: 'p', nodeErrors: {} },
      { type: 'times', start: 1_000, end: 2_000 },
      { type: 'output', output: file('a.png') },
    ),
  view: () => {
    fetched += 1;
    return Promise.resolve({ body: Readable.from([Buffer.from('x')]), size: 1, lastModified: 1_000 });
  },
  praise: () => undefined,
  learnStoring: () => undefined,
  forget: () => undefined,
  blame: (error: unknown) => blamed.push(error),
  confirm: (failure: unknown) => Promise.resolve(failure),
  hasPartnerNodes: () => Promise.resolve(false),
} as unknown as Backend;

/** What the server says of its files is true of this run. */
function proven(): OutputProof {
  const proof = new OutputProof({ job: 'job', attempt: 1, workflow: request.workflow });
  proof.noteTimes({ start: 1_000, end: 2_000 });
  return proof;
}

function keep(memory = new PictureMemory()): OutputKeeper {
  return new OutputKeeper({
    job: 'job',
    request,
    backend,
    storage,
    assets,
    images: waiting,
    stripMetadata: false,
    canRunElsewhere: () => false,
    signal: new AbortController().signal,
    limits: LIMITS,
    memory,
    kept: () => undefined,
    warn: () => undefined,
    proof: proven(),
  });
}

function run(images: Images): { job: Job; done: Promise<unknown> } {
  const runner = new JobRunner(storage, assets, images, {
    jobFolders: false,
    deleteHistory: false,
    outputsVia: 'files',
    stripMetadata: false,
    retry: { maxAttempts: 3, avoidMs: 1 },
    keep: LIMITS,
  });
  const job = new Job('7b87c392-de65-410f-9557-0ac08ad2a975', request, 1);
  return { job, done: runner.run(job, backend) };
}

beforeEach(() => {
  [stored, fetched] = [0, 0];
  [removed, blamed] = [[], []];
});

describe('while pictures wait to be converted', () => {
  it('the rest of a batch is fetched all the same', async () => {
    const keeper = keep();
    for (let index = 0; index < 16; index += 1) keeper.take(file(`${index}.png`));
    await vi.waitFor(() => expect(stored).toBe(16), { timeout: 10_000 });
    expect(fetched).toBe(16);
  });

  it('nothing of them is held in memory', async () => {
    const memory = new PictureMemory(40 * MIB);
    const keeper = keep(memory);
    for (let index = 0; index < 4; index += 1) keeper.take(frame(10 * MIB));
    expect(memory.take(1)).toBe(false);
    await vi.waitFor(() => expect(memory.take(40 * MIB)).toBe(true), { timeout: 10_000 });
    expect(stored).toBe(4);
  });

  it('for too long, the job fails, nobody is blamed, nothing is rendered again, and what was made stays', async () => {
    const { job, done } = run(waiting);
    expect(await done).toBeUndefined();
    expect(job.state.failure).toMatchObject({
      code: 'conversion_failed',
      message: expect.stringMatching(/in time.*api\/v2\/assets\/asset-1\/content/) as string,
    });
    expect([blamed, removed]).toEqual([[], []]);
  });
});

it('a picture that cannot be converted is told in words for whoever did not send it', async () => {
  const broken = {
    convert: () => Promise.reject(new ImageError('damaged', 'The image cannot be read.')),
  } as unknown as Images;
  const { job, done } = run(broken);
  await done;
  expect(job.state.failure?.message).toMatch(
    /^The picture was made, but not converted to avif\. The image cannot/,
  );
  expect(blamed).toEqual([]);
});
