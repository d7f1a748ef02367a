import { once } from 'node:events';
import { mkdtemp, readdir, readlink, rm, stat, writeFile } from 'node:fs/promises';
import { get } from 'node:http';
import { connect, type Socket } from 'node:net';
import { gzipSync } from 'node:zlib';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { io } from 'socket.io-client';
import { afterEach, describe, expect, it } from 'vitest';
import type { ConnectionLimits, Settings } from '../../src/config/index.js';
import { connectionLimits } from '../../src/connection/index.js';
import { ComfyStandin } from '../comfyui/index.js';
import { SOON } from './support/backends.js';
import { Gateway, type GatewayOptions } from './support/gateway.js';
import { picture } from './support/workflows.js';

let comfy: ComfyStandin;
let gateway: Gateway;
const sockets = new Set<Socket>();

/** Each attack runs beside an innocent caller: see `innocent`. */
async function start(options: GatewayOptions = {}): Promise<void> {
  comfy = await ComfyStandin.start();
  gateway = await Gateway.start(comfy.url, options);
}

afterEach(async () => {
  for (const socket of sockets) socket.destroy();
  sockets.clear();
  await gateway.stop();
  await comfy.stop();
});

async function open(): Promise<Socket> {
  const socket = connect(Number(new URL(gateway.url).port), '127.0.0.1');
  sockets.add(socket);
  socket.on('error', () => undefined);
  await once(socket, 'connect');
  return socket;
}

/** What a connection answers to these bytes until it is closed, or says `until`. */
async function exchange(bytes: string, until?: string): Promise<string> {
  const socket = await open();
  let answer = '';
  socket.on('data', (chunk: Buffer) => (answer += chunk.toString('latin1')));
  socket.write(bytes);
  await expect
    .poll(() => socket.destroyed || (until !== undefined && answer.includes(until)), SOON)
    .toBe(true);
  socket.destroy();
  return answer;
}

async function innocent(): Promise<void> {
  const { url } = await gateway.generate({ workflow_data: picture() });
  expect((await gateway.fetch(url.slice(url.indexOf('/output_images')))).status).toBe(200);
}

/** Files of the output folder that this process has open. */
async function openFiles(): Promise<number> {
  const names = await readdir('/proc/self/fd');
  const targets = await Promise.all(names.map((fd) => readlink(`/proc/self/fd/${fd}`).catch(() => '')));
  return targets.filter((target) => target.startsWith(join(gateway.folder, 'image_'))).length;
}

describe.runIf(process.platform === 'linux')('requests that nobody waits for', () => {
  it.each(['/output_images/image_1700000000000_0123456789ab.png', '/output_images/plain.bin'])(
    'leave no file open: 400 pipelined GETs of %s',
    async (path) => {
      await start();
      await writeFile(join(gateway.folder, path.split('/').at(-1) ?? ''), Buffer.alloc(200_000, 7));
      for (const count of [400, 30]) {
        const socket = await open();
        socket.pause();
        socket.write(`GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`.repeat(count));
        await innocent();
        socket.destroy();
      }
      await innocent();
      await expect.poll(openFiles, SOON).toBe(0);
    },
  );

  it('are answered in order, up to a number', async () => {
    await start();
    const request = 'GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n';
    const last = 'GET /nothing HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n';
    const answer = await exchange(request.repeat(20) + last);
    expect(answer.match(/HTTP\/1\.1 \d+/g)).toEqual([
      ...Array.from({ length: 20 }, () => 'HTTP/1.1 200'),
      'HTTP/1.1 404',
    ]);
  });
});

describe('bodies and readers that stand still', () => {
  const hurried = (settings: Settings, more: Partial<ConnectionLimits> = {}) => {
    settings.server.connectionLimits = {
      ...connectionLimits(32 * 1024 * 1024),
      bodyIdleMs: 400,
      slowAfterMs: 100,
      lookEveryMs: 50,
      readIdleMs: 400,
      ...more,
    };
  };
  const head = (path: string, length: number, type = 'application/json') =>
    `POST ${path} HTTP/1.1\r\nHost: x\r\nContent-Type: ${type}\r\nContent-Length: ${length}\r\n\r\n`;

  it.each([
    ['JSON', '/api/generate', 'application/json', 'application/problem+json'],
    ['a form', '/api/generate', 'multipart/form-data; boundary=b', 'application/problem+json'],
    ['an upload', '/api/v2/assets', 'multipart/form-data; boundary=b', 'application/json'],
  ])('are ended: %s', async (_, path, type, answerType) => {
    await start({ adjust: (settings) => hurried(settings) });
    const part = '--b\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\n\r\nxx';
    const answer = await exchange(`${head(path, 1_000_000, type)}${type.startsWith('multi') ? part : '{'}`);
    expect(answer).toContain('HTTP/1.1 408');
    expect(answer).toContain(answerType);
    expect(answer).toContain('request_timeout');
    await innocent();
    await expect.poll(async () => (await readdir(join(gateway.folder, '.tmp'))).length, SOON).toBe(0);
  });

  it('are ended, but not those that move', async () => {
    await start({ adjust: (settings) => hurried(settings) });
    const form = new FormData();
    const bytes = Buffer.alloc(40_000, 3);
    form.set('file', new Blob([bytes]), 'a.bin');
    const whole = Buffer.from(await new Response(form).clone().arrayBuffer());
    const type = `multipart/form-data; boundary=${/^--(\S+)\r\n/.exec(whole.toString('latin1'))?.[1]}`;
    const socket = await open();
    let answer = '';
    socket.on('data', (chunk: Buffer) => (answer += chunk.toString()));
    socket.write(head('/api/v2/assets', whole.length, type));
    for (let at = 0; at < whole.length; at += 4_096) {
      socket.write(whole.subarray(at, at + 4_096));
      await delay(100);
    }
    await expect.poll(() => answer, SOON).toContain('HTTP/1.1 201');
  });

  it('hold a bounded amount of memory, and give way to who moves', async () => {
    const mib = 1024 * 1024;
    await start({
      adjust: (settings) =>
        hurried(settings, {
          bodyIdleMs: 60_000,
          slowBodies: 100,
          addressBytes: 4 * mib,
          smallBytes: 1_000,
        }),
    });
    const answers: string[] = [];
    for (let count = 0; count < 12; count += 1) {
      const socket = await open();
      socket.on('data', (chunk: Buffer) => answers.push(chunk.toString()));
      socket.write(head('/api/generate', 2 * mib));
      socket.write(`{"a":"${'x'.repeat(mib)}`);
    }
    await expect
      .poll(() => answers.filter((answer) => answer.includes(' 429 ')).length, SOON)
      .toBeGreaterThan(6);
    expect(answers.join('')).toContain('too_many_requests');
    const large = { workflow_data: picture(), output_node_id: '9'.repeat(100) };
    // The others stand still only when nothing came of them for `slowAfterMs`; until then all of them move.
    await expect
      .poll(
        async () =>
          (await gateway.post('/api/generate', `${' '.repeat(2 * mib)}${JSON.stringify(large)}`)).status,
        SOON,
      )
      .toBe(422);
    await innocent();
  });

  it('and readers are let go', async () => {
    await start({ adjust: (settings) => hurried(settings) });
    const name = 'image_1700000000000_0123456789ab.png';
    await writeFile(join(gateway.folder, name), Buffer.alloc(20_000_000, 7));
    const socket = await open();
    socket.pause();
    socket.write(`GET /output_images/${name} HTTP/1.1\r\nHost: x\r\n\r\n`);
    if (process.platform === 'linux') {
      await expect.poll(openFiles, SOON).toBe(1);
      await innocent();
      await expect.poll(openFiles, SOON).toBe(0);
    }
  });

  it('and so are readers that take a trickle', async () => {
    await start({ adjust: (settings) => hurried(settings, { readLeastBytes: 16 * 1024 * 1024 }) });
    const name = 'image_1700000000000_0123456789ab.png';
    await writeFile(join(gateway.folder, name), Buffer.alloc(40_000_000, 7));
    const socket = await open();
    let closed = false;
    socket.once('close', () => (closed = true));
    socket.write(`GET /output_images/${name} HTTP/1.1\r\nHost: x\r\n\r\n`);
    // One piece at a time, with a pause after each: never nothing, and never much.
    socket.on('data', () => {
      socket.pause();
      setTimeout(() => socket.resume(), 100);
    });
    await expect.poll(() => closed, SOON).toBe(true);
    expect(socket.bytesRead).toBeLessThan(40_000_000);
    await innocent();
  });
});

describe('bodies that are small to send and large to read', () => {
  const many = (count: number, of: (index: number) => string) =>
    Array.from({ length: count }, (_, index) => of(index)).join(',');
  const nodes = (count: number) => many(count, (index) => `"${index}":{"class_type":"A"}`);

  it.each<[string, number, string, string]>([
    ['a number of many digits', 400, 'invalid_request', `{"workflow_data":${'9'.repeat(500_000)}}`],
    ['many values', 413, 'payload_too_large', `{"workflow_data":[${many(200_000, () => '{}')}]}`],
    ['white space', 413, 'payload_too_large', `{"workflow_data":1${' '.repeat(5_000_000)}}`],
    ['escapes', 413, 'payload_too_large', `{"workflow_data":"${'\\n'.repeat(600_000)}"}`],
    ['a long name', 400, 'invalid_request', `{"${'x'.repeat(2_000)}":1}`],
    ['depth', 400, 'invalid_request', `${'['.repeat(70)}${']'.repeat(70)}`],
    ['many fields', 400, 'invalid_request', `{${many(1_000, (index) => `"f${index}":1`)}}`],
    ['many nodes', 422, 'invalid_workflow', `{"workflow_data":{${nodes(6_000)}}}`],
    [
      'many broken nodes',
      422,
      'invalid_workflow',
      `{"workflow_data":{${many(5_000, (index) => `"n${index}":1`)}}}`,
    ],
    [
      'much text',
      422,
      'invalid_workflow',
      `{"workflow_data":{"1":{"class_type":"A","inputs":{"a":"${'x y '.repeat(2_200_000)}"}}}}`,
    ],
  ])('are refused: %s', async (_, status, code, body) => {
    await start();
    const waiting = innocent();
    for (const encoded of [false, true]) {
      const response = await gateway.post('/api/generate', body, {
        ...(encoded ? { body: new Uint8Array(gzipSync(body)) } : {}),
        headers: encoded ? { 'content-encoding': 'gzip' } : {},
      });
      const text = await response.text();
      expect(text.length).toBeLessThan(20_000);
      const problem = JSON.parse(text) as { status: number; code: string };
      // What is packed too well is not even unpacked.
      expect(
        [
          [status, code],
          [413, 'payload_too_large'],
        ].slice(0, encoded ? 2 : 1),
      ).toContainEqual([problem.status, problem.code]);
    }
    const form = new FormData();
    form.set('workflow_data', new Blob([body]), 'w.json');
    expect(
      (await fetch(`${gateway.url}/api/generate`, { method: 'POST', body: form })).status,
    ).toBeGreaterThanOrEqual(400);
    await waiting;
  });
});

describe('names that are not ours', () => {
  const ask = (host: string | undefined, path = '/api/v2/jobs', more = '') =>
    exchange(
      `GET ${path} HTTP/1.1\r\n${host === undefined ? '' : `Host: ${host}\r\n`}${more}Connection: close\r\n\r\n`,
    );

  it('are refused where ours are known, on every face', async () => {
    await start({
      env: { SERVER_BASE_URL: 'https://pictures.example.com/x', ALLOWED_HOSTS: 'gw, *.svc.example.net' },
    });
    const port = new URL(gateway.url).port;
    for (const host of [
      'evil.example.org',
      `evil.example.org:${port}`,
      'svc.example.net',
      'pictures.example.com.evil.org',
    ]) {
      for (const path of ['/api/v2/jobs', '/docs', '/output_images/x.png', '/api/generate/1', '/nothing']) {
        expect(await ask(host, path), `${host}${path}`).toMatch(/^HTTP\/1\.1 421 [\s\S]*host_not_allowed/);
      }
      expect(await ask(host, '/socket.io/?EIO=4&transport=polling')).toMatch(/^HTTP\/1\.1 403 /);
      expect(await ask(host, '/health/live')).toMatch(/^HTTP\/1\.1 200 /);
    }
    for (const host of [
      'pictures.example.com',
      'PICTURES.example.com:443',
      'gw:80',
      'a.svc.example.net',
      '10.1.2.3:3000',
      '[::1]:3000',
      'localhost',
      'localhost:1',
    ]) {
      expect(await ask(host), host).toMatch(/^HTTP\/1\.1 200 /);
    }
    const evil = io(`${gateway.url}/progress`, {
      extraHeaders: { host: 'evil.example.org' },
      reconnection: false,
      transports: ['websocket'],
    });
    expect(await new Promise((resolve) => evil.once('connect_error', () => resolve('refused')))).toBe(
      'refused',
    );
    evil.close();
    await innocent();
  });

  it('are answered where none is set, and repeated in no link', async () => {
    await start();
    const { job_id: id } = await gateway.generate({ workflow_data: picture() });
    const answer = await ask(
      'evil.example.org',
      `/api/v2/jobs/${id}`,
      'X-Forwarded-Host: evil.example.net\r\n',
    );
    expect(answer).toMatch(/^HTTP\/1\.1 200 /);
    expect(answer).not.toContain('evil');
    expect(answer).toContain(`"url":"${gateway.url}/output_images/`);
    expect(answer).toMatch(/cache-control: no-store/i);
  });

  it('may not be two', async () => {
    await start();
    expect(await ask('127.0.0.1', '/api/v2/jobs', 'Host: evil.example.org\r\n')).toMatch(
      /^HTTP\/1\.1 4(00|22) /,
    );
    expect(await ask('127.0.0.1', '/api/backends', 'Host: 127.0.0.1\r\n')).toMatch(/^HTTP\/1\.1 400 /);
  });

  it('change nothing from pages elsewhere, also of those that tell no origin', async () => {
    await start();
    const body = JSON.stringify({ workflow_data: picture() });
    for (const headers of [
      { 'sec-fetch-site': 'cross-site' },
      { origin: 'null' },
      { origin: 'https://evil.example.org' },
    ] as Record<string, string>[]) {
      const response = await gateway.post('/api/generate', body, {
        headers,
      });
      expect(response.status).toBe(403);
    }
  });
});

describe('what is kept from others', () => {
  it('the pages that describe the API are in no frame', async () => {
    await start();
    for (const path of ['/docs', '/docs/swagger-ui.css', '/docs-json', '/openapi.json']) {
      const { headers } = await gateway.fetch(path);
      expect(headers.get('x-frame-options')).toBe('DENY');
      expect(headers.get('content-security-policy')).toContain("frame-ancestors 'none'");
    }
  });

  it('answers and files are in no shared cache, and a failed If-Match is 412', async () => {
    await start();
    const reply = await gateway.post('/api/generate', { workflow_data: picture() });
    expect(reply.headers.get('cache-control')).toBe('no-store');
    const { url, job_id: id } = (await reply.json()) as { url: string; job_id: string };
    const { outputs } = (await (await fetch(`${gateway.url}/api/v2/jobs/${id}`)).json()) as {
      outputs: { id: string }[];
    };
    for (const path of [url, `/api/v2/assets/${outputs[0]?.id}/content`]) {
      expect((await gateway.fetch(path)).headers.get('cache-control')).toMatch(/^private, /);
      for (const headers of [
        { 'if-match': '"x"' },
        { 'if-match': 'W/"x", "y"' },
        { 'if-unmodified-since': 'Thu, 01 Jan 2015 00:00:00 GMT' },
      ] as Record<string, string>[]) {
        const { status, bytes } = await gateway.fetch(path, { headers });
        expect([path, status, bytes.toString().includes('precondition_failed')]).toEqual([path, 412, true]);
      }
      expect((await gateway.fetch(path, { headers: { 'if-match': '*' } })).status).toBe(200);
    }
    expect((await fetch(`${gateway.url}/api/v2/jobs/x`)).headers.get('cache-control')).toBe('no-store');
  });

  it('the database and its helpers are for this user only', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'state-'));
    await start({ env: { STATE_DIR: folder } });
    const names = await readdir(folder);
    expect(names).toContain('state.sqlite-wal');
    for (const name of names)
      expect([name, (await stat(join(folder, name))).mode & 0o777]).toEqual([name, 0o600]);
    await rm(folder, { recursive: true });
  });
});

describe('events', () => {
  it('have ids, and who has seen the end is not to come again', async () => {
    await start();
    const { job_id: id } = await gateway.generate({ workflow_data: picture() });
    const path = `${gateway.url}/api/v2/jobs/${id}/events`;
    const read = async (lastEventId?: string) => {
      const response = await fetch(path, {
        headers: lastEventId === undefined ? {} : { 'Last-Event-ID': lastEventId },
      });
      return {
        status: response.status,
        ids: [...(await response.text()).matchAll(/^id: (.+)$/gm)].map(([, found]) => found ?? ''),
      };
    };
    const { status, ids } = await read();
    expect(status).toBe(200);
    expect(ids.length).toBeGreaterThan(0);
    expect(new Set(ids).size).toBe(ids.length);
    expect(await read(ids.at(-1))).toEqual({ status: 204, ids: [] });
    expect((await read('42')).status).toBe(204);
    // The connection broke before the end.
    expect((await read(`${id.slice(0, 8)}-1`)).ids.at(-1)).toBe(ids.at(-1));
    const head = await new Promise<number | undefined>((resolve) =>
      get(path, { method: 'HEAD' }, (response) => resolve(response.resume().statusCode)),
    );
    expect(head).toBe(200);
  });
});
