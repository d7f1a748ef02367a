import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { CLIENT_LIMITS } from '../../src/comfy/index.js';
import { PictureMemory } from '../../src/comfy/jobs/picture-memory.js';
import { ComfyStandin, type Graph, type StandinOptions } from '../comfyui/index.js';
import { Fleet, SOON } from './support/backends.js';
import { FAST, type GatewayOptions, type Reply } from './support/gateway.js';
import { Service } from './support/service.js';
import { picture, salt, slow } from './support/workflows.js';

let fleet: Fleet;
afterEach(async () => {
  vi.restoreAllMocks();
  await fleet.stop();
});

const open = async (standin: StandinOptions = {}, options: GatewayOptions = {}) => {
  fleet = await Fleet.start([standin], { env: { COMFYUI_OUTPUTS: 'socket' }, ...options });
};

const COLORS = [0x10_20_30, 0x40_50_60, 0x70_80_90, 0xa0_b0_c0];

/** Four pictures of different colours, one batch. */
function batch(class_type = 'SaveImage'): Graph {
  const images = Object.fromEntries(
    COLORS.map((color, index) => [
      String(index + 1),
      { class_type: 'EmptyImage', inputs: { width: 32, height: 32, batch_size: 1, color } },
    ]),
  );
  const join = (image1: string, image2: string) => ({
    class_type: 'ImageBatch',
    inputs: { image1: [image1, 0], image2: [image2, 0] },
  });
  return {
    ...images,
    '11': join('1', '2'),
    '12': join('11', '3'),
    '13': join('12', '4'),
    '277': { class_type, inputs: { images: ['13', 0], filename_prefix: `batch-${salt()}` } },
  };
}

const bytesOf = (reply: Pick<Reply, 'outputs'>) =>
  Promise.all(reply.outputs.map(async ({ url }) => (await fleet.gateway.fetch(url)).bytes));
const pixelsOf = async (reply: Pick<Reply, 'outputs'>) =>
  Promise.all(
    (await bytesOf(reply)).map(async (bytes) => (await sharp(bytes).raw().toBuffer()).toString('base64')),
  );
const colorsOf = async (reply: Pick<Reply, 'outputs'>) =>
  Promise.all(
    (await bytesOf(reply)).map(async (bytes) =>
      (await sharp(bytes).removeAlpha().raw().toBuffer()).readUIntBE(0, 3),
    ),
  );

const submitted = () =>
  fleet
    .at(0)
    .requests.flatMap(({ route, body }) =>
      route === 'POST /prompt' ? [(body as { prompt: Graph }).prompt] : [],
    );
const classes = () => submitted().map((graph) => graph['277']?.class_type);
const saved = async () =>
  (await readdir(fleet.at(0).outputDir, { recursive: true, withFileTypes: true })).filter((entry) =>
    entry.isFile(),
  );
const asked = () =>
  fleet.at(0).requests.filter(({ path }) => path === '/object_info/SaveImageWebsocket').length;

describe.each([
  ['0.3.64', false],
  ['0.3.11', true],
] as const)('over the socket of ComfyUI %s', (_, legacy) => {
  it('the same pixels come in the same order, and nothing is saved there', async () => {
    await open({ legacy });
    const reply = await fleet.generate(batch());
    expect(reply.outputs_via).toBe('socket');
    expect(await colorsOf(reply)).toEqual(COLORS);
    expect(await saved()).toEqual([]);
    expect(classes()).toEqual(['SaveImageWebsocket']);
    expect(submitted()[0]?.['277']?.inputs).toEqual({ images: ['13', 0] });

    const files = await fleet.generate(batch(), { outputs_via: 'files' });
    expect([files.outputs_via, classes().at(-1)]).toEqual(['files', 'SaveImage']);
    expect(await pixelsOf(files)).toEqual(await pixelsOf(reply));
    // No workflow in them: the trade.
    expect((await bytesOf(files)).every((bytes) => bytes.includes('tEXtprompt'))).toBe(true);
    expect((await bytesOf(reply)).some((bytes) => bytes.includes('tEXt'))).toBe(false);
  });

  it('each job gets its own, and previews are none of them', async () => {
    await open({ legacy });
    const colors = [0x11_00_00, 0x00_22_00, 0x00_00_33];
    const replies = await Promise.all(
      colors.map((color) => {
        const workflow = slow({ steps: 5, delayMs: 10, preview: true });
        Object.assign(workflow['1']?.inputs ?? {}, { color });
        return fleet.generate(workflow);
      }),
    );
    expect(await Promise.all(replies.map(colorsOf))).toEqual(colors.map((color) => [color]));
    expect(replies.map(({ outputs_via, attempts }) => [outputs_via, attempts])).toEqual(
      colors.map(() => ['socket', 1]),
    );
  });

  it('where the class is missing, files come; it is asked once a connection', async () => {
    await open({ legacy, missingNodes: ['SaveImageWebsocket'] });
    for (const color of COLORS.slice(0, 2)) {
      const reply = await fleet.generate(picture({ color }));
      expect([reply.outputs_via, reply.attempts, await colorsOf(reply)]).toEqual(['files', 1, [color]]);
    }
    expect([asked(), await saved()]).toEqual([1, expect.objectContaining({ length: 2 })]);
    fleet.at(0).faults.dropSockets();
    await expect.poll(() => fleet.service.backends[0]?.usable, SOON).toBe(false);
    await fleet.allUsable();
    await fleet.generate(picture());
    expect(asked()).toBe(2);
  });

  it('a connection that drops in the middle: rendered again, by files', async () => {
    await open({ legacy });
    const call = fleet.generate(slow({ steps: 20, delayMs: 20 }));
    await expect.poll(() => fleet.at(0).queue.running.length, SOON).toBe(1);
    fleet.at(0).faults.dropSockets();
    const reply = await call;
    expect([reply.outputs_via, reply.attempts, reply.outputs.length]).toEqual(['files', 2, 1]);
    expect(classes()).toEqual(['SaveImageWebsocket', 'SaveImage']);
    // The first try was not let go on for nothing.
    expect(fleet.at(0).executed.map(({ outcome }) => outcome)).toEqual(['interrupted', 'success']);
    await fleet.expectRecovered();
  });

  it('a picture larger than a frame may be: by files', async () => {
    const limits = { ...CLIENT_LIMITS, ...FAST.limits };
    const socket = { ...limits.socket, maxFrameBytes: 20_000 };
    await open({ legacy }, { env: { COMFYUI_OUTPUTS: 'socket' }, comfy: { limits: { ...limits, socket } } });
    const noise = {
      '1': { class_type: 'LoadImage', inputs: { image: await noisy() } },
      '277': { class_type: 'SaveImage', inputs: { images: ['1', 0], filename_prefix: 'x' } },
    };
    const reply = await fleet.generate(noise);
    expect([reply.outputs_via, reply.attempts]).toEqual(['files', 2]);
    expect(reply.outputs[0]?.size).toBeGreaterThan(20_000);
  });
});

/** A picture that does not compress, in ComfyUI's input folder. @returns its name */
async function noisy(): Promise<string> {
  const create = { width: 200, height: 200, channels: 3 as const, background: 'black' };
  const bytes = await sharp({ create: { ...create, noise: { type: 'gaussian', mean: 128, sigma: 60 } } })
    .png()
    .toBuffer();
  const form = new FormData();
  form.set('image', new File([new Uint8Array(bytes)], 'noise.png'));
  await fetch(`${fleet.at(0).url}/upload/image`, { method: 'POST', body: form });
  return 'noise.png';
}

describe('which way', () => {
  it('can be said for each call, and is files where nobody says', async () => {
    await open({}, { env: {} });
    expect((await fleet.generate(picture())).outputs_via).toBe('files');
    expect((await fleet.generate(picture(), { outputs_via: 'socket' })).outputs_via).toBe('socket');
    expect((await fleet.generate(picture(), { outputs_via: null })).outputs_via).toBe('files');
    expect(classes()).toEqual(['SaveImage', 'SaveImageWebsocket', 'SaveImage']);
    expect(asked()).toBe(1);
    const wrong = { workflow_data: picture(), outputs_via: 'pigeon' };
    expect(await fleet.gateway.problem('/api/generate', wrong)).toMatchObject({ code: 'invalid_request' });
  });

  it('is files for other nodes, and the socket for a SaveImageWebsocket of the caller’s', async () => {
    await open();
    expect((await fleet.generate(batch('PreviewImage'))).outputs_via).toBe('files');
    expect(asked()).toBe(0);
    const own = batch('SaveImageWebsocket');
    delete own['277']?.inputs['filename_prefix'];
    const reply = await fleet.generate(own, { outputs_via: 'files' });
    expect([reply.outputs_via, await colorsOf(reply)]).toEqual(['socket', COLORS]);
  });

  it('is files where ComfyUI does not say what it has', async () => {
    await open();
    fleet.at(0).faults.failNext('GET /object_info/{class}', 500);
    expect((await fleet.generate(picture())).outputs_via).toBe('files');
    expect((await fleet.generate(picture())).outputs_via).toBe('socket');
  });

  it('is files where an old server sent more than can be kept before it named the prompt', async () => {
    await open({ legacy: true, replyDelayMs: 700 });
    const reply = await fleet.generate(picture({ width: 8, height: 8, batch: 530 }));
    expect([reply.outputs_via, reply.attempts, reply.outputs.length]).toEqual(['files', 2, 530]);
  }, 30_000);

  it('is files after pictures that there was no room for', async () => {
    await open();
    vi.spyOn(PictureMemory.prototype, 'take').mockReturnValueOnce(true).mockReturnValueOnce(false);
    const reply = await fleet.generate(batch());
    expect([reply.outputs_via, reply.attempts, await colorsOf(reply)]).toEqual(['files', 2, COLORS]);
    vi.restoreAllMocks();
    await expect.poll(async () => (await fleet.gateway.files()).length, SOON).toBe(4);
  });

  it('gives back the room that pictures took', async () => {
    await open();
    const take = vi.spyOn(PictureMemory.prototype, 'take');
    const release = vi.spyOn(PictureMemory.prototype, 'release');
    await fleet.generate(batch());
    // Two nodes save here, and nobody says which is meant.
    await fleet.gateway.generate({ workflow_data: { ...batch(), '278': batch()['277'] } });
    const sum = (calls: number[][]) => calls.flat().reduce((total, bytes) => total + bytes, 0);
    expect(sum(take.mock.calls)).toBeGreaterThan(0);
    expect(sum(release.mock.calls)).toBe(sum(take.mock.calls));
    expect(take).toHaveBeenCalledTimes(12);
  });

  it('is told in v2, for all nodes that save', async () => {
    await open();
    const workflow = {
      ...batch(),
      '278': { ...batch()['277'] },
      '9': { class_type: 'PreviewImage', inputs: { images: ['1', 0] } },
    };
    const run = async (more: Record<string, unknown>) => {
      const { id } = (await (await fleet.gateway.post('/api/v2/jobs', { workflow, ...more })).json()) as {
        id: string;
      };
      const get = async () =>
        (await (await fetch(`${fleet.gateway.url}/api/v2/jobs/${id}`)).json()) as {
          status: string;
          outputs_via: string | null;
          outputs: (Reply['outputs'][number] & { type: string })[];
        };
      await expect.poll(async () => (await get()).status, SOON).toBe('succeeded');
      return get();
    };
    const job = await run({});
    expect([job.outputs_via, job.outputs.map(({ node_id, type }) => `${node_id} ${type}`)]).toEqual([
      'socket',
      [...Array<string>(4).fill('277 image'), ...Array<string>(4).fill('278 image')],
    ]);
    expect(await colorsOf(job)).toEqual([...COLORS, ...COLORS]);
    const files = await run({ outputs_via: 'files' });
    expect([files.outputs_via, await pixelsOf(files)]).toEqual(['files', await pixelsOf(job)]);
  });
});

describe('a restart of ours', () => {
  it('loses frames and no job: its prompt is stopped, and it is run by files', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'socket-outputs-'));
    fleet = await Fleet.start([{}]);
    const comfy: ComfyStandin = fleet.at(0);
    const start = () =>
      Service.start({
        COMFYUI_SERVER: comfy.url,
        COMFYUI_OUTPUTS: 'socket',
        OUTPUT_DIR: join(folder, 'pictures'),
        STATE_DIR: join(folder, 'state'),
      });
    let service = await start();
    try {
      const workflow_data = slow({ steps: 200, delayMs: 20 });
      const call = fetch(`${service.url}/api/generate`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', prefer: 'respond-async' },
        body: JSON.stringify({ workflow_data, output_node_id: 277 }),
      });
      const { job_id: id } = (await (await call).json()) as { job_id: string };
      await expect.poll(() => comfy.queue.running.length, SOON).toBe(1);
      service.signal('SIGKILL');
      await service.stop();
      service = await start();
      const answer = await fetch(`${service.url}/api/generate/${id}`, { headers: { prefer: 'wait=30' } });
      expect(await answer.json()).toMatchObject({
        outputs_via: 'files',
        attempts: 1,
        outputs: [{ kind: 'image' }],
      });
      expect(comfy.executed.map(({ outcome }) => outcome)).toEqual(['interrupted', 'success']);
    } finally {
      await service.stop();
      await rm(folder, { recursive: true, force: true });
    }
  }, 60_000);

  it('is rendered again by files where the socket went mute before its end was heard', async () => {
    // The silence is noticed before the connection is given up.
    const limits = { ...CLIENT_LIMITS, run: { ...CLIENT_LIMITS.run, silenceMs: 300 } };
    await open({}, { comfy: { limits } });
    const call = fleet.generate(slow({ steps: 20, delayMs: 20 }));
    await expect.poll(() => fleet.at(0).queue.running.length, SOON).toBe(1);
    fleet.at(0).faults.muteSockets();
    await expect.poll(() => fleet.at(0).executed.length, SOON).toBe(1);
    await expect.poll(() => fleet.submissions, SOON).toBe(2);
    fleet.at(0).faults.unmuteSockets();
    const reply = await call;
    expect(reply).toMatchObject({ outputs_via: 'files', attempts: 2 });
    expect(reply.outputs).toHaveLength(1);
  });
});
