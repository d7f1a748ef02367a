import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ComfyStandin } from '../comfyui/index.js';
import { OssServer } from '../oss/index.js';
import { Gateway, type GatewayOptions, type Reply } from './support/gateway.js';
import { ossEnv } from './support/oss.js';
import { Service } from './support/service.js';
import { picture, salt, slow } from './support/workflows.js';

interface Original {
  url: string;
  content_type: string;
  size: number;
  filename: string;
  expires_at: string | null;
}

type Converted = Reply['outputs'][number] & { original?: Original };

const MAGIC: Record<string, (bytes: Buffer) => boolean> = {
  png: (bytes) => bytes.toString('latin1', 0, 8) === '\x89PNG\r\n\x1a\n',
  jpeg: (bytes) => bytes.readUInt16BE(0) === 0xff_d8,
  webp: (bytes) => bytes.toString('latin1', 8, 12) === 'WEBP',
  avif: (bytes) => bytes.toString('latin1', 4, 12) === 'ftypavif',
};

/** Ids of the processes that it has started (Linux). */
async function workersOf(service: Service): Promise<string[]> {
  const children = await readFile(`/proc/${service.pid}/task/${service.pid}/children`, 'utf8');
  return children.trim().split(' ').filter(Boolean);
}

/** Several frames, as the file that a node makes of them. */
function frames(saver: 'SaveAnimatedWEBP' | 'SaveVideo') {
  const color = salt();
  // All different: encoders merge frames that are the same.
  const images = {
    '1': { class_type: 'EmptyImage', inputs: { width: 64, height: 48, batch_size: 1, color } },
    '2': { class_type: 'ImageInvert', inputs: { image: ['1', 0] } },
    '3': { class_type: 'EmptyImage', inputs: { width: 64, height: 48, batch_size: 1, color: color ^ 0xff } },
    '4': { class_type: 'ImageBatch', inputs: { image1: ['1', 0], image2: ['2', 0] } },
    '5': { class_type: 'ImageBatch', inputs: { image1: ['4', 0], image2: ['3', 0] } },
  };
  if (saver === 'SaveVideo') {
    return {
      ...images,
      '6': { class_type: 'CreateVideo', inputs: { images: ['5', 0], fps: 8 } },
      '277': {
        class_type: 'SaveVideo',
        inputs: { video: ['6', 0], filename_prefix: 'clip', format: 'auto', codec: 'auto' },
      },
    };
  }
  return {
    ...images,
    '277': {
      class_type: 'SaveAnimatedWEBP',
      inputs: {
        images: ['5', 0],
        filename_prefix: 'clip',
        fps: 8,
        lossless: false,
        quality: 80,
        method: 'default',
      },
    },
  };
}

describe('convert', () => {
  let comfy: ComfyStandin;
  let gateway: Gateway;

  beforeEach(async () => {
    comfy = await ComfyStandin.start();
  });
  afterEach(async () => {
    await gateway.stop();
    await comfy.stop();
  });

  const start = async (options?: GatewayOptions) => {
    gateway = await Gateway.start(comfy.url, options);
  };
  const first = (reply: Reply): Converted => {
    const [output] = reply.outputs as Converted[];
    if (output === undefined) throw new Error('no output');
    return output;
  };
  const call = (
    convert: Record<string, unknown>,
    workflow: object = picture({ width: 120, height: 80 }),
  ) => ({
    workflow_data: workflow,
    output_node_id: 277,
    convert,
  });
  const bytesOf = async (url: string) => (await gateway.fetch(url)).bytes;

  it.each(['png', 'jpeg', 'webp', 'avif'])(
    '%s: the bytes are of that format, and the original is there',
    async (format) => {
      await start();
      const reply = await gateway.generate(call({ format }));
      const output = first(reply);
      const { bytes, headers } = await gateway.fetch(reply.url);
      expect(MAGIC[format]?.(bytes)).toBe(true);
      expect(headers.get('content-type')).toBe(`image/${format}`);
      expect(output).toMatchObject({ url: reply.url, content_type: `image/${format}`, size: bytes.length });
      expect(await sharp(bytes).metadata()).toMatchObject({ width: 120, height: 80 });
      const original = await bytesOf(output.original?.url ?? '');
      expect(MAGIC['png']?.(original)).toBe(true);
      expect(output.original).toMatchObject({
        content_type: 'image/png',
        size: original.length,
        expires_at: null,
      });
      expect(await gateway.files()).toHaveLength(2);
      // The same colour, as far as the format goes.
      const pixel = (file: Buffer) => sharp(file).removeAlpha().resize(1, 1).raw().toBuffer();
      const [a, b] = [await pixel(bytes), await pixel(original)];
      for (const channel of [0, 1, 2]) expect(Math.abs(a[channel]! - b[channel]!)).toBeLessThan(8);
    },
  );

  it('answers with the converted bytes, also on generate_file', async () => {
    await start();
    const response = await gateway.post('/api/generate_file', call({ format: 'webp', quality: 40 }));
    expect(response.headers.get('content-type')).toBe('image/webp');
    expect(MAGIC['webp']?.(Buffer.from(await response.arrayBuffer()))).toBe(true);
  });

  it.each([
    [{ max_width: 60 }, 60, 40],
    [{ max_height: 20 }, 30, 20],
    [{ max_width: 60, max_height: 20 }, 30, 20],
    [{ max_width: 5_000 }, 120, 80],
  ])('%o makes it %d × %d', async (limits, width, height) => {
    await start();
    const reply = await gateway.generate(call({ format: 'jpeg', ...limits }));
    expect(await sharp(await bytesOf(reply.url)).metadata()).toMatchObject({ width, height });
  });

  it('leaves the workflow out where it is told to, and in where not', async () => {
    await start();
    const bare = first(await gateway.generate(call({ format: 'png', strip_metadata: true })));
    expect((await bytesOf(bare.url)).includes('tEXt')).toBe(false);
    expect((await bytesOf(bare.original?.url ?? '')).toString('latin1')).toMatch(/tEXtprompt\0.*EmptyImage/s);
    const full = first(await gateway.generate(call({ format: 'png' })));
    // Compressed, where libvips writes it.
    expect((await sharp(await bytesOf(full.url)).metadata()).comments).toEqual([
      { keyword: 'prompt', text: expect.stringContaining('EmptyImage') as string },
    ]);
  });

  it('converts every image of a batch, in its order', async () => {
    await start();
    const reply = await gateway.generate(call({ format: 'webp' }, picture({ batch: 3 })));
    const outputs = reply.outputs as Converted[];
    expect(outputs.map(({ content_type, index }) => [content_type, index])).toEqual(
      [0, 1, 2].map((index) => ['image/webp', index]),
    );
    expect(new Set(outputs.map(({ original }) => original?.url)).size).toBe(3);
  });

  it('keeps all frames of an animation, as WebP only', async () => {
    await start();
    const reply = await gateway.generate(call({ format: 'webp', max_width: 32 }, frames('SaveAnimatedWEBP')));
    expect(await sharp(await bytesOf(reply.url), { pages: -1 }).metadata()).toMatchObject({
      pages: 3,
      width: 32,
      pageHeight: 24,
    });
    const problem = await gateway.problem(
      '/api/generate',
      call({ format: 'jpeg' }, frames('SaveAnimatedWEBP')),
    );
    expect(problem).toMatchObject({ status: 422, code: 'conversion_failed' });
    expect(problem.detail).toContain('3 frames');
  });

  it('is an error for a video, which stays reachable and is not made again', async () => {
    await start();
    const problem = await gateway.problem('/api/generate', call({ format: 'webp' }, frames('SaveVideo')));
    expect(problem).toMatchObject({
      status: 422,
      code: 'conversion_failed',
      job_id: expect.any(String) as string,
    });
    const path = /GET (\S+)\./.exec(problem.detail)?.[1] ?? '';
    const kept = await gateway.fetch(path);
    expect([kept.status, kept.headers.get('content-type')]).toEqual([200, 'video/mp4']);
    expect(comfy.executed).toHaveLength(1);
    const later = await gateway.fetch(`/api/generate/${problem.job_id}`);
    expect([later.status, later.bytes.toString()]).toEqual([
      422,
      expect.stringContaining('conversion_failed'),
    ]);
  });

  it('is an error for more pixels than are taken, and the picture is kept', async () => {
    await start({ env: { IMAGE_MAX_MEGAPIXELS: '1' } });
    const problem = await gateway.problem(
      '/api/generate',
      call({ format: 'webp' }, picture({ width: 2_000, height: 1_000 })),
    );
    expect(problem).toMatchObject({ status: 422, code: 'conversion_failed' });
    expect(problem.detail).toContain('IMAGE_MAX_MEGAPIXELS');
    expect(await gateway.files()).toHaveLength(1);
  });

  it('answers the same file to the same key, and to whoever asks later', async () => {
    await start();
    const body = call({ format: 'webp' });
    const headers = { 'idempotency-key': 'k' };
    const ask = async () => (await (await gateway.post('/api/generate', body, { headers })).json()) as Reply;
    const made = await ask();
    expect(await ask()).toEqual(made);
    const later = await gateway.fetch(`/api/generate/${made.job_id}`);
    expect(JSON.parse(later.bytes.toString())).toEqual(made);
    expect(
      await gateway.problem('/api/generate', { ...body, convert: { format: 'avif' } }, { headers }),
    ).toMatchObject({
      code: 'idempotency_key_reuse',
    });
    expect(comfy.executed).toHaveLength(1);
  });

  it.each([
    ['a word', 'webp', ['convert']],
    ['a list', [{ format: 'webp' }], ['convert']],
    ['no format', { max_width: 3 }, ['convert.format']],
    ['an unknown format', { format: 'bmp' }, ['convert.format']],
    ['quality for PNG', { format: 'png', quality: 80 }, ['convert.quality']],
    ['too much quality', { format: 'webp', quality: 101 }, ['convert.quality']],
    [
      'several',
      { format: 'gif', quality: '80 %', max_width: 0, max_height: 1.5, strip_metadata: 'yes', colour: 1 },
      [
        'convert.colour',
        'convert.format',
        'convert.max_height',
        'convert.max_width',
        'convert.quality',
        'convert.strip_metadata',
      ],
    ],
    ['what objects inherit', { format: 'webp', constructor: {} }, ['convert.constructor']],
  ])('%s is told by field, and nothing runs', async (_, convert, fields) => {
    await start();
    const problem = await gateway.problem('/api/generate', { ...call({}), convert });
    expect(problem).toMatchObject({ status: 400, code: 'invalid_request' });
    expect([...new Set(problem.errors?.map(({ field }) => field))].sort()).toEqual(fields);
    expect(comfy.executed).toHaveLength(0);
  });

  it('counts null as left out', async () => {
    await start();
    const { workflow_data } = call({});
    expect(first(await gateway.generate({ workflow_data, convert: null })).content_type).toBe('image/png');
    const reply = await gateway.generate(call({ format: 'png', quality: null, max_width: null }));
    expect(first(reply).original).toBeDefined();
  });

  it('stores both files in the bucket', async () => {
    const oss = await OssServer.start({ now: () => Date.now() });
    try {
      await start({ env: ossEnv(oss) });
      const reply = await gateway.generate(call({ format: 'webp' }));
      expect([...oss.objects.keys()].map((key) => key.slice(-4)).sort()).toEqual(['.png', 'webp']);
      expect(MAGIC['webp']?.(await bytesOf(reply.url))).toBe(true);
      expect(MAGIC['png']?.(await bytesOf(first(reply).original?.url ?? ''))).toBe(true);
    } finally {
      await oss.stop();
    }
  });

  it('takes both files back from a caller who hangs up', async () => {
    await start();
    const caller = new AbortController();
    const big = picture({ width: 3_000, height: 3_000 });
    const lost = gateway.post('/api/generate', call({ format: 'avif' }, big), { signal: caller.signal });
    await expect.poll(() => gateway.files(), { interval: 10, timeout: 20_000 }).toHaveLength(1);
    caller.abort();
    await expect(lost).rejects.toThrow();
    await expect.poll(() => gateway.files(), { interval: 20, timeout: 20_000 }).toHaveLength(0);
  });

  it('answers others while it converts', async () => {
    await start();
    const order: string[] = [];
    const big = picture({ width: 3_000, height: 3_000 });
    const converting = gateway.generate(call({ format: 'avif' }, big)).finally(() => order.push('converted'));
    await expect.poll(() => gateway.files(), { interval: 10, timeout: 20_000 }).toHaveLength(1);
    for (let count = 0; count < 5; count += 1) {
      expect((await gateway.fetch('/health/live')).status).toBe(200);
      order.push('answered');
    }
    expect(order).toEqual(Array.from({ length: 5 }, () => 'answered'));
    expect(first(await converting).content_type).toBe('image/avif');
  });
});

describe('STRIP_METADATA', () => {
  let comfy: ComfyStandin;
  let gateway: Gateway;

  beforeEach(async () => {
    comfy = await ComfyStandin.start();
  });
  afterEach(async () => {
    await gateway.stop();
    await comfy.stop();
  });

  const stored = async () => {
    const [name = ''] = await gateway.files();
    return readFile(join(gateway.folder, name));
  };

  it.each([
    ['a PNG', () => picture(), /tEXtprompt/],
    ['an animated WebP', () => frames('SaveAnimatedWEBP'), /EXIF.*EmptyImage/s],
  ])('takes the workflow out of %s, and leaves the pixels', async (_, workflow, metadata) => {
    const body = { workflow_data: workflow(), output_node_id: 277 };
    gateway = await Gateway.start(comfy.url);
    await gateway.generate(body);
    const before = await stored();
    expect(before.toString('latin1')).toMatch(metadata);
    await gateway.stop();

    gateway = await Gateway.start(comfy.url, { env: { STRIP_METADATA: 'true' } });
    await gateway.generate(body);
    const after = await stored();
    expect(after.toString('latin1')).not.toMatch(/tEXt|EXIF|EmptyImage/);
    const pixels = (file: Buffer) => sharp(file, { pages: -1 }).raw().toBuffer();
    expect((await pixels(after)).equals(await pixels(before))).toBe(true);
  });

  it('is what convert does where it does not say', async () => {
    gateway = await Gateway.start(comfy.url, { env: { STRIP_METADATA: 'true' } });
    const reply = await gateway.generate({ workflow_data: picture(), convert: { format: 'png' } });
    const [{ original } = {}] = reply.outputs as Converted[];
    for (const url of [reply.url, original?.url ?? '']) {
      expect((await gateway.fetch(url)).bytes.toString('latin1')).not.toMatch(/tEXt|EmptyImage/);
    }
  });

  it('still finds out that a file was cut off on its way', async () => {
    gateway = await Gateway.start(comfy.url, { env: { STRIP_METADATA: 'true' } });
    comfy.faults.truncateView(100, 2);
    const reply = await gateway.generate({ workflow_data: picture() });
    expect(await sharp((await gateway.fetch(reply.url)).bytes).stats()).toBeDefined();
  });
});

describe('a conversion over a restart', () => {
  it('does not keep the server that is to end', async () => {
    const comfy = await ComfyStandin.start();
    const service = await Service.start({ COMFYUI_SERVER: comfy.url });
    try {
      // Nobody waits: 49 megapixels of AVIF take many seconds.
      const workflow = picture({ width: 7_000, height: 7_000 });
      await fetch(`${service.url}/api/generate`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', prefer: 'respond-async' },
        body: JSON.stringify({ workflow_data: workflow, convert: { format: 'avif' } }),
      });
      await expect.poll(() => workersOf(service), { interval: 10, timeout: 20_000 }).toHaveLength(1);
      const [worker = ''] = await workersOf(service);
      // SHUTDOWN_GRACE_S is 1 here.
      expect(await service.stop()).toMatchObject({ code: 0, signal: null });
      await expect.poll(() => existsSync(`/proc/${worker}`), { interval: 10, timeout: 5_000 }).toBe(false);
    } finally {
      await service.stop();
      await comfy.stop();
    }
  });

  it('is made by the next process', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'convert-'));
    const comfy = await ComfyStandin.start();
    const env = {
      COMFYUI_SERVER: comfy.url,
      OUTPUT_DIR: join(folder, 'out'),
      STATE_DIR: join(folder, 'state'),
    };
    let service = await Service.start(env);
    try {
      const response = await fetch(`${service.url}/api/generate`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', prefer: 'respond-async' },
        body: JSON.stringify({
          workflow_data: slow({ steps: 20, delayMs: 50 }),
          convert: { format: 'webp' },
        }),
      });
      expect(response.status).toBe(202);
      const { job_id } = (await response.json()) as { job_id: string };
      await expect.poll(() => comfy.queue.running.length, { interval: 20, timeout: 10_000 }).toBe(1);
      service.signal('SIGKILL');
      await service.stop();
      service = await Service.start(env);
      const ask = async () =>
        fetch(`${service.url}/api/generate/${job_id}`, { headers: { prefer: 'wait=20' } });
      const reply = (await (await ask()).json()) as Reply;
      const [output] = reply.outputs as Converted[];
      expect(output).toMatchObject({ content_type: 'image/webp', original: { content_type: 'image/png' } });
      // From the record as well, not only from memory.
      await service.stop();
      service = await Service.start(env);
      expect(await (await ask()).json()).toEqual(reply);
    } finally {
      await service.stop();
      await comfy.stop();
      await rm(folder, { recursive: true, force: true });
    }
  });
});
