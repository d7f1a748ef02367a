import { execFile, spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { ComfyStandin, probeBytes, type Graph } from './index.js';
import { eventually, simple, slow, SpecClient, textToImage } from './spec-client.js';

describe('the stand-in', () => {
  let comfy: ComfyStandin;
  let client: SpecClient;

  beforeAll(async () => {
    comfy = await ComfyStandin.start();
    client = await SpecClient.connect(comfy);
  });

  afterAll(async () => {
    client.close();
    await comfy.stop();
  });

  it('paints the same picture for the same prompt and seed, another for others', async () => {
    const picture = async (text: string, seed: number) => {
      const entry = await client.run(textToImage(text, seed));
      const images = entry.outputs['9']?.['images'] as { filename: string }[] | undefined;
      return sharp(join(comfy.outputDir, images?.[0]?.filename ?? ''))
        .raw()
        .toBuffer();
    };
    const fox = await picture('a red fox', 1);
    const other = await picture('a red fox', 2);
    expect((await picture('a red fox', 1)).equals(fox)).toBe(true);
    expect(other.equals(fox)).toBe(false);
    expect((await picture('a blue boat', 1)).equals(fox)).toBe(false);
  });

  it('writes a file of exactly the size asked for', async () => {
    const size = 3_000_001;
    await client.run({
      '1': { class_type: 'ProbeBytes', inputs: { size, extension: 'png', filename_prefix: 'x/y' } },
    });
    const path = join(comfy.outputDir, 'x/y_00001_.png');
    expect(statSync(path).size).toBe(size);
    expect(Buffer.concat([...probeBytes(size)]).equals(readFileSync(path))).toBe(true);
    const view = `${comfy.url}/view?filename=y_00001_.png&subfolder=x`;
    const part = await fetch(view, { headers: { range: 'bytes=1-3' } });
    expect([part.status, await part.text(), part.headers.get('content-range')]).toEqual([
      206,
      'PNG',
      `bytes 1-3/${size}`,
    ]);
    const known = await fetch(view, { headers: { 'if-none-match': part.headers.get('etag') ?? '' } });
    expect(known.status).toBe(304);
  });

  it('hands out the mask of a transparent picture', async () => {
    const half = {
      create: { width: 4, height: 4, channels: 4 as const, background: { r: 9, g: 9, b: 9, alpha: 0.5 } },
    };
    writeFileSync(join(comfy.inputDir, 'half.png'), await sharp(half).png().toBuffer());
    const graph: Graph = {
      '1': { class_type: 'LoadImage', inputs: { image: 'half.png' } },
      '2': { class_type: 'MaskToImage', inputs: { mask: ['1', 1] } },
      '9': { class_type: 'SaveImage', inputs: { images: ['2', 0], filename_prefix: 'mask' } },
    };
    await client.run(graph);
    const { data, info } = await sharp(join(comfy.outputDir, 'mask_00001_.png'))
      .raw()
      .toBuffer({ resolveWithObject: true });
    expect([info.width, info.channels]).toEqual([4, 3]);
    expect(data[0]).toBeGreaterThan(120);
    expect(data[0]).toBeLessThan(135);
  });

  it('does not save outside its output folder', async () => {
    const { status } = await client.run(simple(3, '../../evil'));
    expect(status.status_str).toBe('error');
    expect(JSON.stringify(status.messages.at(-1))).toContain('outside the output folder');
    expect(existsSync(join(comfy.outputDir, '../../evil_00001_.png'))).toBe(false);
  });

  it('runs only the output nodes asked for', async () => {
    const graph = { ...simple(4), '10': { class_type: 'PreviewImage', inputs: { images: ['1', 0] } } };
    const entry = await client.run(graph, { partial_execution_targets: ['10'] });
    expect(Object.keys(entry.outputs)).toEqual(['10']);
  });

  it('puts extra_pnginfo into the file and extra_data into the history', async () => {
    const extra_data = { extra_pnginfo: { workflow: { note: '你好' } } };
    const entry = await client.run(simple(5, 'info'), { extra_data });
    expect(entry.prompt[3]).toEqual({ ...extra_data, client_id: 'spec' });
    const file = readFileSync(join(comfy.outputDir, 'info_00001_.png')).toString('latin1');
    expect(file).toContain('workflow\0{"note": "\\u4f60\\u597d"}');
  });

  it('lets nothing behind a blocked node run', async () => {
    const entry = await client.run({
      '1': { class_type: 'EmptyImage', inputs: { width: 8, height: 8, batch_size: 1, color: 0 } },
      '2': { class_type: 'ProbeRaise', inputs: { image: ['1', 0], kind: 'Blocked' } },
      '9': { class_type: 'SaveImage', inputs: { images: ['2', 0], filename_prefix: 'blocked' } },
    });
    expect([entry.status.completed, entry.outputs]).toEqual([true, {}]);
  });

  it('scales, blends, batches and saves what it made', async () => {
    const image = (color: number): Graph[string] => ({
      class_type: 'EmptyImage',
      inputs: { width: 16, height: 16, batch_size: 1, color },
    });
    await client.run({
      '1': image(0xff0000),
      '2': image(0x0000ff),
      '3': {
        class_type: 'ImageBlend',
        inputs: { image1: ['1', 0], image2: ['2', 0], blend_factor: 0.5, blend_mode: 'normal' },
      },
      '4': { class_type: 'ImageBatch', inputs: { image1: ['3', 0], image2: ['2', 0] } },
      '5': {
        class_type: 'ImageScaleBy',
        inputs: { image: ['4', 0], upscale_method: 'bilinear', scale_by: 2 },
      },
      '9': { class_type: 'SaveImage', inputs: { images: ['5', 0], filename_prefix: 'mix' } },
    });
    const { data, info } = await sharp(join(comfy.outputDir, 'mix_00001_.png'))
      .raw()
      .toBuffer({ resolveWithObject: true });
    expect([info.width, ...data.subarray(0, 3)]).toEqual([32, 128, 0, 128]);
    expect(existsSync(join(comfy.outputDir, 'mix_00002_.png'))).toBe(true);
  });

  it('renames an upload whose name is taken by other bytes', async () => {
    const upload = async (bytes: string) => {
      const form = new FormData();
      form.set('image', new File([bytes], 'a.b.png'));
      const response = await fetch(`${comfy.url}/upload/image`, { method: 'POST', body: form });
      return ((await response.json()) as { name: string }).name;
    };
    expect([await upload('one'), await upload('two'), await upload('two'), await upload('one')]).toEqual([
      'a.b.png',
      'a.b (1).png',
      'a.b (1).png',
      'a.b.png',
    ]);
  });

  it('keeps a journal with every digit of what was sent', async () => {
    const seed = '18446744073709551615';
    await fetch(`${comfy.url}/api/prompt?x=1`, { method: 'POST', body: `{"prompt": {}, "seed": ${seed}}` });
    expect(comfy.requests.at(-1)).toMatchObject({
      route: 'POST /prompt',
      path: '/api/prompt',
      query: { x: '1' },
      body: { prompt: {} },
    });
    expect(comfy.requests.at(-1)?.text).toContain(seed);
  });

  it('tells only the client of its prompt, of an interrupt as well (28)', async () => {
    const other = await SpecClient.connect(comfy, 'other');
    const id = await client.submit(slow(200, 5));
    await eventually(() => client.types().includes('progress'));
    await fetch(`${comfy.url}/interrupt`, { method: 'POST', body: JSON.stringify({ prompt_id: id }) });
    await eventually(() => client.types().includes('execution_interrupted'));
    expect(new Set(other.types())).toEqual(new Set(['status']));
    expect(comfy.executed.at(-1)).toMatchObject({ promptId: id, clientId: 'spec', outcome: 'interrupted' });
    other.close();
  });

  it('tells everybody of a prompt without a client: its progress and, untagged, its previews (42)', async () => {
    const body = JSON.stringify({ prompt: slow(2, 5, true) });
    client.binaries.length = 0;
    client.events.length = 0;
    await fetch(`${comfy.url}/prompt`, { method: 'POST', body });
    await eventually(() => client.binaries.length >= 2);
    expect(client.binaries.every((frame) => frame.readUInt32BE(0) === 1)).toBe(true);
    await eventually(() => comfy.queue.running.length === 0);
    expect(new Set(client.types())).toEqual(new Set(['status', 'progress_state', 'progress']));
  });

  it('counts who compresses', async () => {
    const ws = new WebSocket(`ws://${comfy.address}/ws?clientId=deflate`);
    await new Promise((resolve) => ws.once('open', resolve));
    expect(comfy.sockets).toMatchObject({ count: 2, deflated: 1 });
    ws.terminate();
    await eventually(() => comfy.sockets.count === 1);
  });

  it('answers what it cannot read with 500, and what is too deep without falling over', async () => {
    const post = async (prompt: unknown) =>
      (await fetch(`${comfy.url}/prompt`, { method: 'POST', body: JSON.stringify({ prompt }) })).status;
    expect(await post('text')).toBe(500);
    expect(await post(null)).toBe(500);
    expect(await post({ '1': 5 })).toBe(500);
    expect(await post({ '1': { class_type: 'SaveImage' } })).toBe(400);
    const loop = (from: string) => ({ class_type: 'ImageInvert', inputs: { image: [from, 0] } });
    expect(
      await post({
        '1': loop('2'),
        '2': loop('1'),
        '9': { class_type: 'SaveImage', inputs: { images: ['1', 0], filename_prefix: 'x' } },
      }),
    ).toBe(400);
  });
});

describe('options', () => {
  it('asks for a token and answers below its base path only', async () => {
    const comfy = await ComfyStandin.start({
      basePath: '/comfy',
      token: { query: 'token', value: 's3cret' },
    });
    try {
      const status = async (path: string) => (await fetch(`http://${comfy.address}${path}`)).status;
      expect(await status('/comfy/queue?token=s3cret')).toBe(200);
      expect(await status('/comfy/queue')).toBe(401);
      expect(await status('/queue?token=s3cret')).toBe(404);
      await expect(SpecClient.connect(comfy)).rejects.toThrow('401');
      (await SpecClient.connect(comfy, 'x&token=s3cret')).close();
    } finally {
      await comfy.stop();
    }
  });

  it('makes an aged folder slow, and a folder of its own fast', async () => {
    const comfy = await ComfyStandin.start({ listingCostPerFileUs: 2.7, agedFiles: 30_000 });
    const client = await SpecClient.connect(comfy);
    try {
      const took = async (prefix: string) => {
        await client.run(simple(1, prefix));
        const run = comfy.executed.at(-1);
        return (run?.endedAt ?? 0) - (run?.startedAt ?? 0);
      };
      expect(await took('gw')).toBeGreaterThan(70);
      expect(await took('job/1/gw')).toBeLessThan(60);
    } finally {
      client.close();
      await comfy.stop();
    }
  });

  it('with zeroWork writes the same files', async () => {
    const comfy = await ComfyStandin.start({ zeroWork: true });
    const client = await SpecClient.connect(comfy);
    try {
      mkdirSync(join(comfy.outputDir, 'a'));
      writeFileSync(join(comfy.outputDir, 'a', 'gw_00041_.png'), '');
      await client.run(simple(0x102030, 'a/gw'));
      await client.run(simple(0x102031, 'a/gw'));
      await client.run(simple(0x102030, 'a/gw'));
      for (const [number, blue] of [
        ['00042', 0x30],
        ['00043', 0x31],
        ['00044', 0x30],
      ] as const) {
        const data = await sharp(join(comfy.outputDir, 'a', `gw_${number}_.png`))
          .raw()
          .toBuffer();
        expect([...data.subarray(0, 3)]).toEqual([0x10, 0x20, blue]);
      }
    } finally {
      client.close();
      await comfy.stop();
    }
  });

  it('loads a model again that was dropped for another, even where its loader is cached', async () => {
    const checkpoints = ['a', 'b', 'c'];
    const comfy = await ComfyStandin.start({ modelsInMemory: 2, modelLoadMs: 60, checkpoints });
    const client = await SpecClient.connect(comfy);
    let seed = 0;
    const draw = async (ckpt_name: string) => {
      const before = comfy.modelLoads;
      const graph = textToImage('a red fox', ++seed, 64, 1);
      await client.run({ ...graph, '4': { class_type: 'CheckpointLoaderSimple', inputs: { ckpt_name } } });
      const { startedAt = 0, endedAt = 0 } = comfy.executed.at(-1) ?? {};
      const loads = comfy.modelLoads - before;
      if (loads > 0) expect(endedAt - startedAt).toBeGreaterThanOrEqual(58 * loads);
      return loads;
    };
    const free = (what: object) => fetch(`${comfy.url}/free`, { method: 'POST', body: JSON.stringify(what) });
    try {
      // The last use counts, not the load: b goes for c, and a stays.
      const loads = [];
      for (const name of ['a', 'b', 'a', 'c', 'a', 'b']) loads.push(await draw(name));
      expect(loads).toEqual([1, 1, 0, 1, 0, 1]);
      // Its loader is served from the cache and does not run; the sampler finds the model gone.
      await eventually(() => comfy.queue.running.length === 0);
      await free({ unload_models: true });
      client.events.length = 0;
      expect(await draw('b')).toBe(1);
      expect(client.events.find(({ type }) => type === 'execution_cached')?.data['nodes']).toContain('4');
      await free({ free_memory: true });
      expect(await draw('b')).toBe(0);
    } finally {
      client.close();
      await comfy.stop();
    }
  });

  it('leaves no folder behind', async () => {
    const comfy = await ComfyStandin.start();
    expect(existsSync(comfy.outputDir)).toBe(true);
    await comfy.stop();
    expect(existsSync(comfy.outputDir)).toBe(false);
  });

  it('two run side by side, and the process ends by itself after stop()', async () => {
    const index = fileURLToPath(new URL('index.ts', import.meta.url));
    const script = `import { ComfyStandin } from ${JSON.stringify(index)};
      const both = await Promise.all([ComfyStandin.start(), ComfyStandin.start({ legacy: true })]);
      for (const one of both) await fetch(one.url + '/queue');
      both[0].faults.delay('GET /queue', 60000);
      void fetch(both[0].url + '/queue').catch(() => undefined);
      await new Promise((resolve) => setTimeout(resolve, 50));
      for (const one of both) await one.stop();
      console.log('stopped');`;
    const { stdout } = await promisify(execFile)(
      process.execPath,
      ['--import', 'tsx', '--input-type=module', '--eval', script],
      { timeout: 15_000 },
    );
    expect(stdout).toContain('stopped');
  }, 20_000);
});

describe('main', () => {
  it('says where it listens and ends on SIGTERM', async () => {
    const main = fileURLToPath(new URL('main.ts', import.meta.url));
    const child = spawn(process.execPath, ['--import', 'tsx', main, '--port', '0']);
    let out = '';
    child.stdout.on('data', (data: Buffer) => (out += data.toString()));
    const url = await eventually(() => /http:\/\/[\d.:]+/.exec(out)?.[0], 15_000);
    expect((await fetch(`${url}/system_stats`)).status).toBe(200);
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGTERM');
    expect(await ended).toBe(0);
  }, 20_000);
});
