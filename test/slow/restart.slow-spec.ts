import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { StateDatabase } from '../../src/state/index.js';
import { ComfyStandin, type StandinOptions } from '../comfyui/index.js';
import { FileServer } from '../e2e/support/file-server.js';
import { Service } from '../e2e/support/service.js';
import { slow } from '../e2e/support/workflows.js';

const LONG = { interval: 50, timeout: 60_000 };

let folder: string;
let backends: ComfyStandin[];
let service: Service;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'restart-'));
});

afterEach(async () => {
  await service.stop();
  await Promise.all(backends.map((backend) => backend.stop()));
  await rm(folder, { recursive: true, force: true });
});

async function begin(standins: StandinOptions[]): Promise<void> {
  backends = await Promise.all(standins.map((options) => ComfyStandin.start(options)));
  service = await start();
}

const start = (more: Record<string, string> = {}) =>
  Service.start({
    COMFYUI_SERVER: backends.map(({ url }) => url).join(','),
    OUTPUT_DIR: join(folder, 'pictures'),
    STATE_DIR: join(folder, 'state'),
    ...more,
  });

/** `kill -9`, and once the process is gone, what is on record. */
async function kill(): Promise<{ id: string; status: string }[]> {
  service.signal('SIGKILL');
  await service.stop();
  return recorded();
}

async function recorded(): Promise<{ id: string; status: string }[]> {
  const database = await StateDatabase.open(join(folder, 'state'));
  const jobs = database.all<{ id: string; status: string }>('SELECT id, status FROM jobs ORDER BY number');
  database.close();
  return jobs;
}

/** A call whose caller may lose its connection. */
function call(color: number, steps = 10): Promise<Response | undefined> {
  const workflow = slow({ steps, delayMs: 20 });
  Object.assign(workflow['1']?.inputs ?? {}, { color });
  return fetch(`${service.url}/api/generate`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ workflow_data: workflow, output_node_id: 277 }),
  }).catch(() => undefined);
}

const rendered = () =>
  backends.flatMap(({ executed }) => executed.filter(({ outcome }) => outcome === 'success')).length;
const submitted = () =>
  backends.flatMap(({ requests }) => requests.filter(({ route }) => route === 'POST /prompt')).length;
const isBusy = () => backends.some(({ queue }) => queue.running.length > 0);

async function colorOf(url: string): Promise<number> {
  const bytes = Buffer.from(await (await fetch(new URL(url, service.url))).arrayBuffer());
  return (await sharp(bytes).removeAlpha().raw().toBuffer()).readUIntBE(0, 3);
}

/** The result of every job, once all have one. */
async function results(ids: string[]): Promise<{ status: number; body: { url: string; code?: string } }[]> {
  const ask = async (id: string) => {
    const response = await fetch(`${service.url}/api/generate/${id}`);
    return { status: response.status, body: (await response.json()) as { url: string; code?: string } };
  };
  await expect
    .poll(async () => (await Promise.all(ids.map(ask))).filter(({ status }) => status === 202).length, LONG)
    .toBe(0);
  return Promise.all(ids.map(ask));
}

describe('with STATE_DIR', () => {
  it('a kill with 50 jobs in flight loses none, renders none twice, and every link works', async () => {
    await begin([{}, {}, { legacy: true }, { legacy: true }]);
    const calls = Array.from({ length: 50 }, (_, index) => call(index * 1_000));
    await expect.poll(rendered, LONG).toBeGreaterThan(10);
    const jobs = await kill();
    expect(jobs).toHaveLength(50);
    expect(jobs.filter(({ status }) => status === 'queued').length).toBeGreaterThan(10);
    expect(jobs.filter(({ status }) => status === 'running').length).toBeGreaterThan(0);
    await Promise.all(calls);

    service = await start();
    const all = await results(jobs.map(({ id }) => id));
    expect(all.map(({ status }) => status)).toEqual(all.map(() => 200));
    const colors = await Promise.all(all.map(({ body }) => colorOf(body.url)));
    expect(colors.sort((a, b) => a - b)).toEqual(colors.map((_, index) => index * 1_000));
    expect(rendered()).toBe(50);
    expect(submitted()).toBe(50);
  });

  it('a job whose ComfyUI restarted as well is run again', async () => {
    await begin([{}]);
    const waiting = call(7, 200);
    await expect.poll(isBusy, LONG).toBe(true);
    const [job] = await kill();
    await backends[0]?.kill();
    await backends[0]?.restart();
    await waiting;

    service = await start();
    const [result] = await results([job?.id ?? '']);
    expect(result?.status).toBe(200);
    expect(await colorOf(result?.body.url ?? '')).toBe(7);
    expect(submitted()).toBe(2);
  });

  it('jobs wait for a ComfyUI that restarted as well and takes its time, however short new ones would wait', async () => {
    await begin([{}]);
    const calls = [call(3, 100), call(4, 2), call(5, 2)];
    await expect.poll(submitted, LONG).toBe(2);
    const jobs = await kill();
    await backends[0]?.kill();
    await Promise.all(calls);

    service = await start({ NO_BACKEND_S: '1' });
    await expect.poll(async () => (await call(1))?.status, LONG).toBe(503);
    await backends[0]?.restart();
    const all = await results(jobs.map(({ id }) => id));
    expect(all.map(({ status }) => status)).toEqual([200, 200, 200]);
  });

  it('a job that was done while nobody looked is fetched, not rendered', async () => {
    await begin([{}]);
    const waiting = call(9, 20);
    await expect.poll(isBusy, LONG).toBe(true);
    const [job] = await kill();
    await expect.poll(isBusy, LONG).toBe(false);
    await waiting;

    service = await start();
    const [result] = await results([job?.id ?? '']);
    expect(await colorOf(result?.body.url ?? '')).toBe(9);
    expect([rendered(), submitted()]).toEqual([1, 1]);
    await expect.poll(() => [...(backends[0]?.history.keys() ?? ['none'])], LONG).toEqual([]);
  });

  it('a job whose ComfyUI is not among the settings any more is run elsewhere', async () => {
    await begin([{}, {}]);
    const waiting = call(11, 500);
    await expect.poll(isBusy, LONG).toBe(true);
    const [job] = await kill();
    const [other] = backends.filter(({ queue }) => queue.running.length === 0);
    await waiting;

    service = await start({ COMFYUI_SERVER: other?.url ?? '' });
    const [result] = await results([job?.id ?? '']);
    expect(await colorOf(result?.body.url ?? '')).toBe(11);
  });

  it('what is asked to stop leaves its jobs for the next process, and ComfyUI goes on meanwhile', async () => {
    await begin([{}]);
    const calls = [1, 2, 3, 4].map((color) => call(color, 100));
    await expect.poll(submitted, LONG).toBe(2);
    expect((await service.stop()).code).toBe(0);
    const replies = await Promise.all(calls);
    expect(replies.map((reply) => reply?.status)).toEqual([503, 503, 503, 503]);
    const jobs = await recorded();
    expect(jobs.map(({ status }) => status).sort()).toEqual(['queued', 'queued', 'running', 'running']);
    expect(isBusy()).toBe(true);

    service = await start();
    const all = await results(jobs.map(({ id }) => id));
    expect(all.map(({ status }) => status)).toEqual([200, 200, 200, 200]);
    expect([rendered(), submitted()]).toEqual([4, 4]);
  });

  it('a prompt that nobody wants any more is stopped after the restart', async () => {
    await begin([{}]);
    const hangUp = new AbortController();
    const body = JSON.stringify({ workflow_data: slow({ steps: 400, delayMs: 20 }), output_node_id: 277 });
    const headers = { 'content-type': 'application/json' };
    const lost = fetch(`${service.url}/api/generate`, {
      method: 'POST',
      headers,
      body,
      signal: hangUp.signal,
    });
    lost.catch(() => undefined);
    await expect.poll(isBusy, LONG).toBe(true);
    // The order to stop it never gets through.
    backends[0]?.faults.failNext('POST /interrupt', 503);
    backends[0]?.faults.failNext('GET /queue', 503);
    hangUp.abort();
    await expect.poll(() => service.log, LONG).toContain('cancelled');
    const [job] = await kill();
    expect(job?.status).toBe('cancelled');

    service = await start();
    await expect.poll(isBusy, LONG).toBe(false);
  });

  it('a job whose file is still on its way is not lost: the file is fetched again', async () => {
    await begin([{}]);
    await service.stop();
    service = await start({ FETCH_ALLOW_HOSTS: '127.0.0.1:*' });
    const files = await FileServer.start();
    const bytes = await sharp({ create: { width: 8, height: 8, channels: 3, background: '#123456' } })
      .png()
      .toBuffer();
    const url = files.behave('/photo.png', () => undefined);
    const workflow = {
      '10': { class_type: 'LoadImage', inputs: { image: url } },
      '277': { class_type: 'SaveImage', inputs: { images: ['10', 0], filename_prefix: 'restart' } },
    };
    void fetch(`${service.url}/api/generate`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ workflow_data: workflow, output_node_id: 277 }),
    }).catch(() => undefined);
    await expect.poll(() => files.count('/photo.png'), LONG).toBe(1);
    const [job] = await kill();
    expect(job?.status).toBe('queued');
    files.serve('/photo.png', bytes);
    service = await start({ FETCH_ALLOW_HOSTS: '127.0.0.1:*' });
    const [result] = await results([job?.id ?? '']);
    expect(result?.status).toBe(200);
    expect(await colorOf(result?.body.url ?? '')).toBe(0x12_34_56);
    expect([files.count('/photo.png'), submitted()]).toEqual([2, 1]);
    await files.stop();
  });

  it('a job that runs has its files on its ComfyUI: it is found again, also where their URL is gone', async () => {
    await begin([{}]);
    await service.stop();
    service = await start({ FETCH_ALLOW_HOSTS: '127.0.0.1:*' });
    const files = await FileServer.start();
    const bytes = await sharp({ create: { width: 8, height: 8, channels: 3, background: '#123456' } })
      .png()
      .toBuffer();
    const workflow = slow({ steps: 100, delayMs: 20 });
    Object.assign(workflow, {
      '1': { class_type: 'LoadImage', inputs: { image: files.serve('/photo.png', bytes) } },
    });
    void fetch(`${service.url}/api/generate`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ workflow_data: workflow, output_node_id: 277 }),
    }).catch(() => undefined);
    await expect.poll(isBusy, LONG).toBe(true);
    const [job] = await kill();
    files.behave('/photo.png', (_, response) => void response.writeHead(404).end());
    service = await start({ FETCH_ALLOW_HOSTS: '127.0.0.1:*' });
    const [result] = await results([job?.id ?? '']);
    expect(result?.status).toBe(200);
    expect([files.count('/photo.png'), submitted(), rendered()]).toEqual([1, 1, 1]);
    await files.stop();
  });
});
