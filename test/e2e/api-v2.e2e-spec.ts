import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { get } from 'node:http';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  BlobNotFound,
  type Comfy,
  type ComfyEvent,
  HashMismatch,
  IdempotencyKeyReuse,
  InvalidWorkflow,
  JobFailed,
  MissingAsset,
  NotFound,
  QueueFull,
  WorkflowFormatUi,
} from '@comfyorg/sdk';
import { ApiError, type ComfyLow } from '@comfyorg/sdk/low';
import sharp from 'sharp';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { ContractEvents } from '../../src/api-v2/contract-events.js';
import { JobFeed } from '../../src/feed/index.js';
import { StateDatabase } from '../../src/state/index.js';
import type { StandinOptions } from '../comfyui/index.js';
import { OssServer } from '../oss/index.js';
import { Fleet, SOON } from './support/backends.js';
import type { GatewayOptions } from './support/gateway.js';
import { comfyAt, comfyLowAt } from './support/official-sdk.js';
import { ossEnv } from './support/oss.js';
import { failing, picture, salt, slow } from './support/workflows.js';

let fleet: Fleet;
let client: Comfy;
let low: ComfyLow;

afterEach(async () => {
  vi.restoreAllMocks();
  await fleet.stop();
});

async function start(standins: StandinOptions[] = [{}], options: GatewayOptions = {}): Promise<void> {
  fleet = await Fleet.start(standins, options);
  client = comfyAt(fleet.gateway.url);
  low = comfyLowAt(fleet.gateway.url);
}

const of = (workflow: unknown) => client.workflows.fromJson(workflow as Record<string, unknown>);

/** A workflow that shows what it loads. */
const inverted = () => ({
  '1': { class_type: 'LoadImage', inputs: { image: 'to be set' } },
  '2': { class_type: 'ImageInvert', inputs: { image: ['1', 0] } },
  '13': { class_type: 'SaveImage', inputs: { images: ['2', 0], filename_prefix: 'inverted' } },
});

const photo = (color: number, size = 8) =>
  sharp({ create: { width: size, height: size, channels: 3, background: { r: color, g: 0, b: 0 } } })
    .png()
    .toBuffer();

async function redOf(bytes: Uint8Array): Promise<number | undefined> {
  return (await sharp(Buffer.from(bytes)).removeAlpha().raw().toBuffer())[0];
}

const uploads = () =>
  fleet.backends.map(({ requests }) => requests.filter(({ route }) => route === 'POST /upload/image').length);

async function raw(path: string, init?: RequestInit) {
  const response = await fetch(`${fleet.gateway.url}${path}`, init);
  const text = await response.text();
  return {
    status: response.status,
    headers: response.headers,
    body: (text === '' ? {} : JSON.parse(text)) as {
      error: { code: string; message: string; details: Record<string, unknown> | null };
      jobs: { id: string; status: string }[];
      next_cursor?: string;
    },
  };
}

describe('the official SDK', () => {
  it('runs its quickstart: a file in, a workflow, a picture out', async () => {
    await start();
    const folder = await mkdtemp(join(tmpdir(), 'sdk-'));
    await writeFile(join(folder, 'photo.png'), await photo(10));
    await writeFile(join(folder, 'workflow_api.json'), JSON.stringify(inverted()));
    const workflow = await client.workflows.fromFile(join(folder, 'workflow_api.json'));
    workflow.setInput('1', 'image', client.assets.fromFile(join(folder, 'photo.png')));
    const job = await client.run(workflow);
    const [output] = job.getOutputs('13');
    await output?.toFile(join(folder, 'out.png'));
    expect(await redOf(await readFile(join(folder, 'out.png')))).toBe(245);
    expect(output).toMatchObject({ type: 'image', contentType: 'image/png', jobId: job.id });
    expect(output?.name).toMatch(/^inverted_\d+_\.png$/);
    const head = await output?.toBytes({ range: [0, 3] });
    expect(Buffer.from(head ?? []).toString('latin1')).toBe('\x89PNG');
    await rm(folder, { recursive: true });
  });

  it('submits and waits, and finds the job again by its id', async () => {
    await start();
    const job = await client.submit(of(slow({ steps: 5 })));
    expect(['queued', 'running']).toContain(job.status);
    expect((await job.wait()).status).toBe('succeeded');
    const again = await client.jobs.get(job.id);
    expect(again.outputs.map(({ id }) => id)).toEqual(job.outputs.map(({ id }) => id));
    const [output] = again.outputs;
    const { url } = (await output?.getDownloadUrl()) ?? { url: '' };
    expect((await fetch(url)).headers.get('content-type')).toBe('image/png');
  });

  it('hears everything that happens, and the end last', async () => {
    await start();
    const job = await client.submit(of(slow({ steps: 30, delayMs: 40, preview: true })));
    const events: ComfyEvent[] = [];
    for await (const event of job.events()) events.push(event);
    const kinds = events.map(({ kind }) => kind);
    expect(kinds[0]).toBe('statusChange');
    expect(kinds.filter((kind) => kind === 'progress').length).toBeGreaterThan(1);
    expect(kinds.slice(-2)).toEqual(['outputReady', 'statusChange']);
    expect(events.at(-1)).toMatchObject({ status: 'succeeded' });
    const preview = events.find((event) => event.kind === 'preview');
    expect(preview).toMatchObject({ nodeId: '2', contentType: 'image/jpeg' });
    expect(
      (await sharp(Buffer.from(preview?.kind === 'preview' ? preview.data : [])).metadata()).format,
    ).toBe('jpeg');
    const output = events.find((event) => event.kind === 'outputReady');
    expect(
      await redOf(await (output?.kind === 'outputReady' ? output.output.toBytes() : photo(0))),
    ).toBeTypeOf('number');
    // Who comes late is told all that matters.
    const late: ComfyEvent[] = [];
    for await (const event of (await client.jobs.get(job.id)).events()) late.push(event);
    expect(late.map(({ kind }) => kind)).toEqual(['outputReady', 'statusChange']);
  });

  it('cancels a job that runs, and one that waits', async () => {
    await start([{}], { comfy: { slots: 1 } });
    const running = await client.submit(of(slow({ steps: 500 })));
    await fleet.busy();
    const waiting = await client.submit(of(slow({ steps: 500 })));
    expect((await client.jobs.get(waiting.id)).status).toBe('queued');
    expect((await waiting.cancel()).status).toBe('canceled');
    expect((await running.cancel()).status).toBe('canceled');
    await expect(running.result()).rejects.toThrow(JobFailed);
    await expect.poll(() => fleet.at(0).queue.running, SOON).toEqual([]);
    expect((await running.cancel()).status).toBe('canceled');
    await fleet.expectRecovered();
  });

  it('gets all that the workflow makes, in the order of its nodes', async () => {
    await start();
    const job = await client.run(
      of({
        ...picture(),
        '20': { class_type: 'SaveImage', inputs: { images: ['1', 0], filename_prefix: 'second' } },
        '30': { class_type: 'ProbeShowText', inputs: { text: 'a red fox' } },
        '40': { class_type: 'PreviewImage', inputs: { images: ['1', 0] } },
        '50': { class_type: 'EmptyLatentImage', inputs: { width: 64, height: 64, batch_size: 1 } },
        '51': { class_type: 'SaveLatent', inputs: { samples: ['50', 0], filename_prefix: 'l' } },
      }),
    );
    expect(job.outputs.map(({ nodeId, type }) => [nodeId, type])).toEqual([
      ['20', 'image'],
      ['30', 'text'],
      ['51', 'latent'],
      ['277', 'image'],
    ]);
    const [text] = job.getOutputs('30');
    expect(text?.contentType).toBe('text/plain; charset=utf-8');
    expect(Buffer.from((await text?.toBytes()) ?? []).toString()).toBe('a red fox');
  });

  it('gets what was only shown, where nothing was saved', async () => {
    await start();
    const workflow = {
      '1': picture()['1'],
      '2': { class_type: 'PreviewImage', inputs: { images: ['1', 0] } },
      '3': { class_type: 'ProbeShowText', inputs: { text: 'x' } },
    };
    expect((await client.run(of(workflow))).outputs.map(({ nodeId }) => nodeId)).toEqual(['2', '3']);
  });

  it('knows the workflow behind a job, to the last digit', async () => {
    await start();
    const { '1': image, ...rest } = picture();
    const seed = 18446744073709551615n;
    const text = JSON.stringify({
      workflow: { '1': image, ...rest, '9': { class_type: 'ProbeShowText', inputs: { text: 'x', seed: 0 } } },
    });
    const body = text.replace('"seed":0', `"seed":${seed}`);
    const posted = await raw('/api/v2/jobs', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body,
    });
    const { id } = posted.body as unknown as { id: string };
    const job = await client.jobs.get(id);
    await job.wait();
    expect((await job.getWorkflow()).format).toBe('api');
    const answer = await fetch(`${fleet.gateway.url}/api/v2/jobs/${id}/workflow`);
    expect(await answer.text()).toBe(`${body.slice(0, -1)},"format":"api"}`);
  });
});

describe('readers of events who do not behave', () => {
  const connection = async (): Promise<Socket> => {
    const socket = connect(Number(new URL(fleet.gateway.url).port), '127.0.0.1');
    socket.on('error', () => undefined);
    await once(socket, 'connect');
    return socket;
  };

  it('are forgotten with their connection, also those of pipelined requests', async () => {
    await start();
    const feed = fleet.gateway.app.get(JobFeed);
    const job = await client.submit(of(slow({ steps: 500 })));
    const socket = await connection();
    socket.resume();
    socket.write(`GET /api/v2/jobs/${job.id}/events HTTP/1.1\r\nHost: x\r\n\r\n`.repeat(20));
    // One after the other: the first is under way.
    await expect.poll(() => feed.watchers, SOON).toBe(1);
    socket.destroy();
    await expect.poll(() => feed.watchers, SOON).toBe(0);
    await job.cancel();
  });

  it('do not keep the server from closing', async () => {
    await start();
    const feed = fleet.gateway.app.get(JobFeed);
    // More than a socket takes, written as one event would be.
    vi.spyOn(ContractEvents.prototype, 'frameOf').mockImplementation(() =>
      Buffer.from(`: ${'x'.repeat(32_000_000)}\n\n`),
    );
    const job = await client.submit(of(slow({ steps: 20 })));
    const socket = await connection();
    socket.pause();
    socket.write(`GET /api/v2/jobs/${job.id}/events HTTP/1.1\r\nHost: x\r\n\r\n`);
    await expect.poll(() => feed.watchers, SOON).toBe(1);
    await expect.poll(() => fleet.service.find(job.id)?.status, SOON).toBe('succeeded');
    expect(feed.watchers).toBe(1);
    await fleet.gateway.app.close();
    // A response hears of its end a moment after the server does.
    await expect.poll(() => feed.watchers, SOON).toBe(0);
  }, 30_000);
});

describe('assets', () => {
  it('are uploaded once, whoever sends them again', async () => {
    await start();
    const bytes = await photo(1);
    const first = client.assets.fromBytes(bytes, { filename: 'a.png' });
    const second = client.assets.fromBytes(bytes, { filename: 'b.png' });
    await first.commit();
    await second.commit();
    expect([first.createdNew, second.createdNew]).toEqual([true, true]);
    expect(first.id).not.toBe(second.id);
    expect(await fleet.gateway.files()).toHaveLength(1);
    const form = await low.postAssets(new Blob([new Uint8Array(bytes)]), 'image/png', 'c.png');
    expect(form).toMatchObject({ created_new: false, content_type: 'image/png', file_path: 'c.png' });
    const known = await client.assets.get(first.id ?? '');
    expect(await known.hash()).toBe(await first.hash());
    await first.delete();
    await second.delete();
    expect(await fleet.gateway.files()).toHaveLength(1);
    await client.assets.delete(form.id);
    expect(await fleet.gateway.files()).toHaveLength(0);
    await expect(client.assets.get(form.id)).rejects.toThrow(NotFound);
  });

  it('go to whichever backend runs the job, each content once', async () => {
    await start([{}, { legacy: true }]);
    const asset = client.assets.fromBytes(await photo(200));
    const run = async () => {
      const workflow = of({
        ...inverted(),
        '3': {
          class_type: 'ProbeSlowImage',
          inputs: { image: ['2', 0], steps: 5, delay_ms: 20, preview: false, salt: salt() },
        },
      });
      workflow.setInput('1', 'image', asset);
      workflow.setInput('13', 'images', ['3', 0]);
      const job = await client.run(workflow);
      return redOf((await job.getOutputs('13')[0]?.toBytes()) ?? new Uint8Array());
    };
    await asset.commit();
    // ProbeSlowImage takes a little of every value.
    expect(new Set(await Promise.all(Array.from({ length: 8 }, run)))).toEqual(new Set([54]));
    expect(uploads()).toEqual([1, 1]);
    // What a job made is an asset, and can be the input of the next one.
    const job = await client.run(of(picture({ color: 0x0a_00_00 })));
    const chained = of(inverted());
    chained.setInput('1', 'image', await client.assets.get(job.outputs[0]?.id ?? ''));
    const [next] = (await client.run(chained)).getOutputs('13');
    expect(await redOf((await next?.toBytes()) ?? new Uint8Array())).toBe(0xf5);
  });

  it('are uploaded again where somebody has emptied the folder', async () => {
    const dataDir = await mkdtemp(join(tmpdir(), 'comfyui-'));
    await start([{ dataDir }]);
    const asset = client.assets.fromBytes(await photo(4));
    for (const round of [1, 2]) {
      const workflow = of(inverted());
      workflow.setInput('1', 'image', asset);
      workflow.setInput('13', 'filename_prefix', `round-${round}`);
      expect((await client.run(workflow)).outputs).toHaveLength(1);
      await rm(join(dataDir, 'input', 'comfy-sync'), { recursive: true });
    }
    expect(uploads()).toEqual([2]);
    await rm(dataDir, { recursive: true });
  });

  it('are kept for a job that waits, whenever they expire', async () => {
    await start([{}], { comfy: { slots: 1 } });
    const running = await client.submit(of(slow({ steps: 500 })));
    await fleet.busy();
    const asset = client.assets.fromBytes(await photo(5));
    const workflow = of(inverted());
    workflow.setInput('1', 'image', asset);
    const job = await client.submit(workflow);
    fleet.gateway.app.get(StateDatabase).run('UPDATE assets SET expires = 1 WHERE job IS NULL');
    await expect(client.assets.get(asset.id ?? '')).rejects.toThrow(NotFound);
    await running.cancel();
    expect((await job.wait()).status).toBe('succeeded');
  });

  it('cannot be removed while a job needs them', async () => {
    await start();
    const asset = client.assets.fromBytes(await photo(3));
    const workflow = of({
      ...slow({ steps: 200 }),
      ...inverted(),
      '2': { class_type: 'ImageInvert', inputs: { image: ['1', 0] } },
    });
    workflow.json['5'] = {
      class_type: 'ProbeSlowImage',
      inputs: { image: ['2', 0], steps: 200, delay_ms: 20, preview: false, salt: salt() },
    };
    workflow.setInput('1', 'image', asset);
    workflow.setInput('13', 'images', ['5', 0]);
    workflow.setInput('277', 'images', ['5', 0]);
    const job = await client.submit(workflow);
    const refused = await raw(`/api/v2/assets/${asset.id}`, { method: 'DELETE' });
    expect([refused.status, refused.body.error.code]).toEqual([409, 'asset_in_use']);
    await job.cancel();
    await asset.delete();
  });

  it('are streamed, and nothing stays of those that are not what they should be', async () => {
    await start([{}], { env: { MAX_UPLOAD_MB: '1' } });
    const tooLarge = new Blob([randomBytes(1_100_000)]);
    const over = await low.postAssets(tooLarge, 'image/png', 'big.bin').catch((error: unknown) => error);
    expect(over).toMatchObject({ code: 'payload_too_large', httpStatus: 413 });
    const wrong = low.postAssets(new Blob(['x']), 'text/plain', 'x.txt', {
      expectedHash: `blake3:${'0'.repeat(64)}`,
    });
    await expect(wrong).rejects.toMatchObject({ name: 'HashMismatch' });
    await expect(low.postAssets(new Blob([]), 'text/plain', 'x.txt')).rejects.toBeInstanceOf(ApiError);
    const form = new FormData();
    form.append('file', new Blob(['y']), 'y.txt');
    form.append('expires_in', '5');
    form.append('colour', 'red');
    const fields = await raw('/api/v2/assets', { method: 'POST', body: form });
    expect([fields.status, fields.body.error.code]).toEqual([422, 'invalid_request']);
    expect(fields.body.error.details).toEqual({
      errors: [
        { field: 'colour', message: 'is not a field of this request' },
        { field: 'expires_in', message: 'must be a whole number from 60 to 604800' },
      ],
    });
    const none = await raw('/api/v2/assets', { method: 'POST', body: new FormData() });
    expect(none.status).toBe(422);
    expect((await raw('/api/v2/assets', { method: 'POST', body: 'x' })).body.error.code).toBe(
      'unsupported_media_type',
    );
    await expect.poll(() => fleet.gateway.files(), SOON).toEqual([]);
  });

  it('take their fields before or after the file', async () => {
    await start();
    const form = new FormData();
    form.append('file', new Blob(['text of mine']), 'ignored.txt');
    form.append('file_path', 'mine.txt');
    form.append('expires_in', '600');
    const response = await fetch(`${fleet.gateway.url}/api/v2/assets`, { method: 'POST', body: form });
    const asset = (await response.json()) as { file_path: string; expires_at: string; created_at: string };
    expect(asset.file_path).toBe('mine.txt');
    const bare = new FormData();
    bare.append('file', new Blob(['x']), '狐狸.txt');
    const named = await fetch(`${fleet.gateway.url}/api/v2/assets`, { method: 'POST', body: bare });
    expect(((await named.json()) as { file_path: string }).file_path).toBe('狐狸.txt');
    expect(Date.parse(asset.expires_at) - Date.parse(asset.created_at)).toBe(600_000);
  });

  it('leave nothing behind where the caller hangs up', async () => {
    await start();
    const leaving = new AbortController();
    let sent = 0;
    const body = new ReadableStream<Uint8Array>({
      async pull(controller) {
        if (sent === 0) {
          controller.enqueue(
            Buffer.from('--b\r\nContent-Disposition: form-data; name="file"; filename="a.bin"\r\n\r\n'),
          );
        }
        controller.enqueue(randomBytes(100_000));
        sent += 1;
        if (sent > 20) leaving.abort();
        await new Promise((resolve) => setTimeout(resolve, 5));
      },
    });
    const init = {
      method: 'POST',
      headers: { 'content-type': 'multipart/form-data; boundary=b' },
      body,
      duplex: 'half',
      signal: leaving.signal,
    };
    await expect(fetch(`${fleet.gateway.url}/api/v2/assets`, init as RequestInit)).rejects.toThrow();
    await expect.poll(() => fleet.gateway.files(), SOON).toEqual([]);
    expect(sent).toBeGreaterThan(20);
  });

  it('are redirected to the bucket where there is one', async () => {
    const oss = await OssServer.start({ now: () => Date.now() });
    await start([{}], {
      env: ossEnv(oss, { OSS_URL_MODE: 'gateway' }),
    });
    const job = await client.run(of(picture()));
    const [output] = job.outputs;
    const { url } = (await output?.getDownloadUrl()) ?? { url: '' };
    expect(new URL(url).host).not.toBe(new URL(fleet.gateway.url).host);
    expect(
      Buffer.from((await output?.toBytes()) ?? []).equals(
        Buffer.from(await (await fetch(url)).arrayBuffer()),
      ),
    ).toBe(true);
    // The disk is lost, the bucket is not.
    for (const name of await fleet.gateway.files()) await rm(join(fleet.gateway.folder, name));
    const again = await fleet.gateway.fetch(`/api/generate/${job.id}?response_type=file`);
    expect([again.status, again.headers.get('content-type')]).toEqual([200, 'image/png']);
    await oss.stop();
  });
});

describe('errors', () => {
  it('come as the SDK knows them', async () => {
    await start([{}]);
    await expect(client.run(of({ '1': { class_type: 'NoSuchNode', inputs: {} } }))).rejects.toThrow(
      InvalidWorkflow,
    );
    await expect(client.run(of({ '1': 'nonsense' }))).rejects.toThrow(InvalidWorkflow);
    await expect(client.run(of({ nodes: [], links: [], last_node_id: 1 }))).rejects.toThrow(WorkflowFormatUi);
    await expect(low.postJobs({ nodes: [], links: [] })).rejects.toMatchObject({
      code: 'workflow_format_ui',
      httpStatus: 422,
    });
    const workflow = inverted();
    const reference = { __type: 'core/ASSET', info: { id: '00000000-0000-4000-8000-000000000000' } };
    Object.assign(workflow['1'].inputs, { image: reference });
    await expect(client.run(of(workflow))).rejects.toThrow(MissingAsset);
    await expect(low.assetFromHash(`blake3:${'1'.repeat(64)}`)).rejects.toMatchObject({
      name: BlobNotFound.name,
    });
    const lie = low.postAssets(new Blob(['x']), 'text/plain', 'x', {
      expectedHash: `blake3:${'1'.repeat(64)}`,
    });
    await expect(lie).rejects.toMatchObject({ name: HashMismatch.name });
    await expect(client.jobs.get('00000000-0000-4000-8000-000000000000')).rejects.toThrow(NotFound);
    await expect(client.jobs.get('no-uuid')).rejects.toThrow(NotFound);
    await expect(client.assets.get('no-uuid')).rejects.toThrow(NotFound);
    const failed = await client.run(of(failing('ValueError'))).catch((error: unknown) => error);
    expect(failed).toBeInstanceOf(JobFailed);
    expect((failed as JobFailed).error).toMatchObject({
      code: 'node_execution_error',
      node_id: '2',
      class_type: 'ProbeRaise',
      traceback: null,
    });
  });

  it('name the nodes that ComfyUI does not like', async () => {
    await start();
    const workflow = picture();
    Object.assign(workflow['1']?.inputs ?? {}, { width: -1 });
    const error = (await client.submit(of(workflow)).catch((reason: unknown) => reason)) as InvalidWorkflow;
    expect(error).toBeInstanceOf(InvalidWorkflow);
    expect(error.details?.['node_errors']).toMatchObject({ '1': { class_type: 'EmptyImage' } });
    const job = await client.jobs.get(String(error.details?.['job_id']));
    expect([job.status, job.error?.code]).toEqual(['failed', 'invalid_workflow']);
  });

  it('a full line is 429 with Retry-After, which the SDK waits for', async () => {
    await start([{}], { comfy: { slots: 1, maxQueue: 1 } });
    const first = await client.submit(of(slow({ steps: 500 })));
    await fleet.busy();
    const second = await client.submit(of(slow({ steps: 500 })));
    await expect(low.postJobs(slow())).rejects.toMatchObject({
      name: QueueFull.name,
      httpStatus: 429,
      retryAfter: 5,
    });
    await Promise.all([first.cancel(), second.cancel()]);
  });

  it('a key gives the same job again; for another request it is refused', async () => {
    await start();
    const workflow = slow({ steps: 5 });
    const idempotencyKey = 'my-key';
    const first = await client.submit(of(workflow), { idempotencyKey, apiKey: 'one' });
    const second = await client.submit(of(workflow), { idempotencyKey, apiKey: 'two' });
    expect(second.id).toBe(first.id);
    await expect(client.submit(of(picture()), { idempotencyKey })).rejects.toThrow(IdempotencyKeyReuse);
    await first.result();
    expect(fleet.submissions).toBe(1);
  });

  it.each([
    ['/api/v2/nothing', 'GET', undefined, 404, 'not_found'],
    ['/api/v2/jobs', 'POST', '{', 422, 'invalid_request'],
    ['/api/v2/jobs', 'POST', '{}', 422, 'invalid_workflow'],
    ['/api/v2/jobs', 'POST', '{"workflow":{},"surprise":1}', 422, 'invalid_request'],
    ['/api/v2/jobs', 'POST', '{"workflow":{},"extra_data":{"token":"x"}}', 422, 'invalid_request'],
    ['/api/v2/jobs', 'POST', '{"workflow":{},"extra_data":{"api_key_comfy_org":7}}', 422, 'invalid_request'],
    ['/api/v2/jobs?status=done', 'GET', undefined, 422, 'invalid_request'],
    ['/api/v2/jobs?limit=0', 'GET', undefined, 422, 'invalid_request'],
    ['/api/v2/jobs?cursor=%25', 'GET', undefined, 422, 'invalid_request'],
    ['/api/v2/jobs?cursor=abc', 'GET', undefined, 422, 'invalid_request'],
    ['/api/v2/assets/from-hash', 'POST', '{"hash":"md5:1"}', 422, 'invalid_request'],
    ['/api/v2/assets/from-hash', 'POST', '[]', 422, 'invalid_request'],
  ])('%s %s %s: %i %s, in the envelope', async (path, method, body, status, code) => {
    await start();
    const headers = { 'content-type': 'application/json' };
    const answer = await raw(path, { method, headers, ...(body === undefined ? {} : { body }) });
    expect([answer.status, answer.body.error.code]).toEqual([status, code]);
    expect(answer.headers.get('content-type')).toMatch(/^application\/json/);
  });
});

describe('one engine', () => {
  it('lists jobs of every face, newest first, by status and page', async () => {
    await start();
    const call = await fleet.generate(picture());
    const job = await client.run(of(picture()));
    await client.run(of(failing('ValueError'))).catch(() => undefined);
    const all = await raw('/api/v2/jobs');
    expect(all.body.jobs.map(({ status }) => status)).toEqual(['failed', 'succeeded', 'succeeded']);
    const first = await raw('/api/v2/jobs?status=succeeded,running&limit=1');
    expect(first.body.jobs.map(({ id }) => id)).toEqual([job.id]);
    const second = await raw(
      `/api/v2/jobs?status=succeeded,running&limit=1&cursor=${first.body.next_cursor}`,
    );
    expect(second.body.jobs.map(({ id }) => id)).toEqual([call.job_id]);
    expect(second.body.next_cursor).toBeUndefined();
    expect((await raw('/api/v2/jobs?status=expired')).body.jobs).toEqual([]);
  });

  it('a sync call and a v2 job are the same thing', async () => {
    await start();
    const call = await fleet.generate(picture({ color: 0x11_22_33 }));
    const seen = await client.jobs.get(call.job_id);
    expect(seen.status).toBe('succeeded');
    expect(await seen.outputs[0]?.toBytes()).toEqual(
      new Uint8Array((await fleet.gateway.fetch(call.url)).bytes),
    );
    const job = await client.run(of(picture()));
    const asked = await fleet.gateway.fetch(`/api/generate/${job.id}`);
    expect(asked.status).toBe(200);
    expect(JSON.parse(asked.bytes.toString())).toMatchObject({ job_id: job.id, attempts: 1 });
  });

  it('passes keys for partner nodes on, and keeps them nowhere', async () => {
    const state = await mkdtemp(join(tmpdir(), 'state-'));
    await start([{}], { env: { STATE_DIR: state }, comfy: { deleteHistory: false } });
    const job = await client.run(of(picture()), { apiKey: 'comfyui-secret' });
    const entry = fleet.at(0).history.get(job.id);
    expect(JSON.stringify(entry)).toContain('"api_key_comfy_org":"comfyui-secret"');
    await fleet.gateway.app.close();
    expect(await readFile(join(state, 'state.sqlite'), 'latin1')).not.toContain('comfyui-secret');
    const database = await StateDatabase.open(state);
    expect(database.get('SELECT id FROM jobs')).toEqual({ id: job.id });
    database.close();
    await rm(state, { recursive: true });
  });

  it('waits with a rendered file until it can be written down', async () => {
    await start();
    const database = fleet.gateway.app.get(StateDatabase);
    database.run("CREATE TRIGGER full BEFORE INSERT ON assets BEGIN SELECT RAISE(FAIL, 'disk full'); END");
    const job = await client.submit(of(picture()));
    await expect.poll(() => fleet.rendered, SOON).toBe(1);
    database.run('DROP TRIGGER full');
    expect((await job.wait()).outputs).toHaveLength(1);
    expect(fleet.submissions).toBe(1);
  });

  it('bears a Host that is none, and HEAD of a stream', async () => {
    await start();
    const job = await client.run(of(picture()));
    const status = await new Promise<number | undefined>((resolve, reject) => {
      const { hostname, port } = new URL(fleet.gateway.url);
      const options = { hostname, port, path: `/api/v2/jobs/${job.id}`, headers: { host: '[x' } };
      get(options, (response) => {
        response.resume();
        resolve(response.statusCode);
      }).on('error', reject);
    });
    expect(status).toBe(422);
    const head = await fetch(`${fleet.gateway.url}/api/v2/jobs/${job.id}/events`, { method: 'HEAD' });
    expect(head.headers.get('content-type')).toContain('text/event-stream');
  });

  it('tells whether jobs can be run', async () => {
    await start();
    expect((await raw('/api/v2/health')).body).toEqual({
      status: 'ok',
      usable_backends: 1,
      backends: 1,
      queued_jobs: 0,
    });
    await fleet.at(0).kill();
    await expect.poll(async () => (await raw('/api/v2/health')).status, SOON).toBe(503);
    await fleet.at(0).restart();
  });
});
