import 'reflect-metadata';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm, symlink, unlink, writeFile } from 'node:fs/promises';
import { get, type IncomingMessage } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { type INestApplication, Logger } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { OssServer } from '../../test/oss/index.js';
import { ProblemFilter } from '../problem/index.js';
import { FileLinks, type OssOptions, Storage, StorageModule, type StorageOptions } from '../storage/index.js';
import { FilesModule } from './files.module.js';

const PNG = Buffer.concat([
  Buffer.from('89504e470d0a1a0a0000000d494844520000000100000001080200000090', 'hex'),
  Buffer.alloc(70, 7),
]);
const DAY_MS = 86_400_000;

let directory: string;
let app: INestApplication | undefined;
let base: string;
let storage: Storage;

async function start(more: Partial<StorageOptions> = {}): Promise<void> {
  const options = {
    directory,
    minFreeBytes: 0,
    linkSecrets: [{ id: 'k1', secret: 's'.repeat(32) }],
    ...more,
  };
  // Not with a testing module: serve-static does nothing where the HTTP server comes later than the modules.
  const imports = [StorageModule.forRootAsync({ useFactory: () => options }), FilesModule];
  app = await NestFactory.create({ module: class Root {}, imports }, { logger: false });
  app.useGlobalFilters(new ProblemFilter());
  await app.listen(0, '127.0.0.1');
  base = `http://127.0.0.1:${(app.getHttpServer().address() as AddressInfo).port}`;
  storage = app.get(Storage);
}

beforeEach(async () => {
  Logger.overrideLogger(false);
  directory = await mkdtemp(join(tmpdir(), 'files-'));
});

afterEach(async () => {
  vi.useRealTimers();
  await app?.close();
  app = undefined;
  await rm(directory, { recursive: true });
});

async function ask(path: string, headers: Record<string, string> = {}, method = 'GET') {
  const response = await fetch(new URL(path, base), { headers, method, redirect: 'manual' });
  const bytes = Buffer.from(await response.arrayBuffer());
  const problem = response.headers.get('content-type')?.startsWith('application/problem+json');
  const code =
    problem && bytes.length > 0 ? (JSON.parse(bytes.toString()) as { code: string }).code : undefined;
  expect(bytes.toString()).not.toContain(directory);
  return { status: response.status, headers: response.headers, bytes, code };
}

function expectSafe(headers: Headers): void {
  expect(headers.get('x-content-type-options')).toBe('nosniff');
  expect(headers.get('content-security-policy')).toBe("default-src 'none'; sandbox");
  expect(headers.get('cross-origin-resource-policy')).toBe('cross-origin');
}

describe('/output_images', () => {
  beforeEach(() => start());

  it('serves what was stored, whole, in part, or not again', async () => {
    const { key } = await storage.put({ body: PNG });
    const { url, expiresAt } = await storage.link({ key });
    expect([url, expiresAt]).toEqual([`/output_images/${key}`, null]);
    const whole = await ask(url);
    expect([whole.status, whole.headers.get('content-type')]).toEqual([200, 'image/png']);
    expect(whole.bytes).toEqual(PNG);
    expect(whole.headers.get('cache-control')).toBe('private, max-age=31536000, immutable');
    expectSafe(whole.headers);
    const etag = whole.headers.get('etag') ?? '';
    expect(etag).toMatch(/^"/);
    // fetch adds `no-cache` of its own, which asks for the file again.
    expect((await ask(url, { 'if-none-match': etag, 'cache-control': 'max-age=0' })).status).toBe(304);
    const head = await ask(url, {}, 'HEAD');
    expect([head.status, head.headers.get('content-length'), head.bytes.length]).toEqual([200, '100', 0]);
    const part = await ask(url, { range: 'bytes=10-19' });
    expect([part.status, part.headers.get('content-range')]).toEqual([206, 'bytes 10-19/100']);
    expect(part.bytes).toEqual(PNG.subarray(10, 20));
    const beyond = await ask(url, { range: 'bytes=100-' });
    expect([beyond.status, beyond.code]).toEqual([416, 'range_not_satisfiable']);
    expect(beyond.headers.get('content-range')).toBe('bytes */100');
  });

  it('serves what somebody else put there as bytes, unless it is a picture', async () => {
    await writeFile(join(directory, 'image_1234567890.png'), PNG);
    await writeFile(join(directory, 'page.html'), '<script>');
    await writeFile(join(directory, 'picture.svg'), '<svg/>');
    expect((await ask('/output_images/image_1234567890.png')).headers.get('content-type')).toBe('image/png');
    for (const name of ['page.html', 'picture.svg']) {
      const { status, headers } = await ask(`/output_images/${name}`);
      expect([status, headers.get('content-type')]).toEqual([200, 'application/octet-stream']);
      expect(headers.get('cache-control')).toBe('private, no-cache');
      expectSafe(headers);
    }
  });

  it.each(['POST', 'PUT', 'DELETE', 'PATCH'])('takes no %s', async (method) => {
    const { status, code, headers } = await ask('/output_images/x.png', {}, method);
    expect([status, code, headers.get('allow')]).toEqual([405, 'method_not_allowed', 'GET, HEAD']);
  });

  it('shows no index, no folder, no link and no dot file', async () => {
    await writeFile(join(directory, 'index.html'), 'index');
    await writeFile(join(directory, '.link-secret'), 'secret');
    await mkdir(join(directory, 'folder.png'));
    await writeFile(join(directory, 'folder.png', 'x.png'), PNG);
    await symlink('/etc/passwd', join(directory, 'link.png'));
    for (const path of [
      '',
      '/',
      '/.never',
      '/.link-secret',
      '/.tmp',
      '/.tmp/x',
      '/folder.png',
      '/folder.png/',
      '/folder.png/x.png',
      '/link.png',
      '/nothing.png',
    ]) {
      const { status, code } = await ask(`/output_images${path}`);
      expect([path, status, code]).toEqual([path, 404, 'not_found']);
    }
  });

  it.each([
    '/output_images/../../../../etc/passwd',
    '/output_images/..%2f..%2f..%2fetc%2fpasswd',
    '/output_images/%2e%2e/%2e%2e/etc/passwd',
    '/output_images/..%5c..%5cetc%5cpasswd',
    '/output_images//etc/passwd',
    '//etc/passwd',
    '/output_images/%252e%252e%252fetc%252fpasswd',
    '/output_images/x.png%00.txt',
    '/OUTPUT_IMAGES/link.png',
    '/Output_Images/.link-secret',
    '/output_images/%zz',
    '/output_images/%',
    '/output_images/%c0%ae%c0%ae/etc/passwd',
    `/output_images/${'a'.repeat(300)}`,
  ])('gives nothing away at %s', async (target) => {
    await symlink('/etc/passwd', join(directory, 'link.png'));
    await writeFile(join(directory, '.link-secret'), 'secret');
    const answer = await sendRaw(`GET ${target} HTTP/1.1`);
    expect(answer).toMatch(/^HTTP\/1\.1 40[04] /);
    if (/%zz|%$|%c0/.test(target)) expect(answer).toContain(' 400 ');
    expect(answer).not.toMatch(/root:|secret/);
    expect(answer).not.toContain(directory);
  });

  /** As it is: fetch would tidy the path up. */
  async function sendRaw(line: string): Promise<string> {
    const socket = connect(Number(new URL(base).port), '127.0.0.1');
    socket.write(`${line}\r\nHost: x\r\nConnection: close\r\n\r\n`);
    return text(socket);
  }
});

describe('/files without a bucket', () => {
  it('goes on serving links that are out', async () => {
    await start();
    const { key } = await storage.put({ body: PNG });
    const { url } = (app as INestApplication).get(FileLinks).sign(key);
    const { status, bytes } = await ask(url);
    expect([status, bytes.equals(PNG)]).toEqual([200, true]);
  });
});

describe('/files with a bucket', () => {
  let server: OssServer;
  let now: () => number;

  beforeEach(async () => {
    now = () => Date.now();
    server = await OssServer.start({ now: () => now() });
  });

  afterEach(() => server.stop());

  async function startWithBucket(more: Partial<OssOptions> = {}) {
    await start({
      oss: {
        endpoint: server.endpoint,
        region: server.region,
        bucket: server.bucket,
        accessKeyId: server.key.id,
        accessKeySecret: server.key.secret,
        basePath: 'comfy_images/',
        urlMode: 'gateway',
        ...more,
      },
    });
    const { key } = await storage.put({ body: PNG });
    const { url, expiresAt } = await storage.link({ key });
    return { key, url, expiresAt };
  }

  it('redirects to a fresh URL, on every day of thirty', async () => {
    const { url, expiresAt } = await startWithBucket();
    const began = Date.now();
    expect(Math.abs((expiresAt?.getTime() ?? 0) - began - 30 * DAY_MS)).toBeLessThan(5_000);
    for (const days of [0, 8, 29]) {
      vi.useFakeTimers({ now: began + days * DAY_MS, toFake: ['Date'] });
      for (const method of ['GET', 'HEAD']) {
        const { status, headers } = await ask(url, {}, method);
        expect(status).toBe(302);
        expect(headers.get('cache-control')).toBe('private, max-age=300');
        expect(headers.get('referrer-policy')).toBe('no-referrer');
        const location = headers.get('location') ?? '';
        expect(new URL(location).searchParams.get('x-oss-expires')).toBe('3600');
        const answer = await fetch(location, { method });
        expect(answer.status).toBe(200);
        if (method === 'GET') expect(Buffer.from(await answer.arrayBuffer())).toEqual(PNG);
      }
    }
    vi.setSystemTime(began + 30 * DAY_MS - 30_000);
    const last = await ask(url);
    expect(last.headers.get('cache-control')).toBe('private, max-age=0');
    expect(
      Number(new URL(last.headers.get('location') ?? '').searchParams.get('x-oss-expires')),
    ).toBeLessThan(31);
    vi.setSystemTime(began + 30 * DAY_MS + 5_000);
    expect(await ask(url)).toMatchObject({ status: 410, code: 'link_expired' });
  });

  it.each(['gateway', 'proxy'] as const)('refuses what it did not sign (%s)', async (urlMode) => {
    const { url, key } = await startWithBucket({ urlMode });
    for (const other of [
      url.replace(/s=./, 's=!'),
      url.replace('e=', 'e=1'),
      url.replace('k=k1', 'k=__proto__'),
      `/files/${key}`,
      `${url}&s=x`,
      url.replace(key, '.link-secret'),
      url.replace(key, '..%2f..%2fetc%2fpasswd'),
    ]) {
      expect(await ask(other), other).toMatchObject({ status: 403, code: 'link_invalid' });
    }
    expect((await ask(url.replace(key, '%zz'))).status).toBe(400);
    expect((await ask(url, {}, 'POST')).status).toBe(404);
  });

  it.each(['gateway', 'proxy', 'auto'] as const)('is the only way to a file (%s)', async (urlMode) => {
    const { key } = await startWithBucket({ urlMode });
    const path = `/output_images/${key}`;
    for (const [headers, method] of [
      [{}, 'GET'],
      [{}, 'HEAD'],
      [{ range: 'bytes=0-1' }, 'GET'],
      [{ range: 'bytes=100-' }, 'GET'],
      [{ 'if-none-match': '*' }, 'GET'],
      [{ 'if-match': '"x"' }, 'GET'],
    ] as [Record<string, string>, string][]) {
      const { status, headers: told } = await ask(path, headers, method);
      expect([status, told.get('etag'), told.get('content-range')]).toEqual([404, null, null]);
    }
    for (const way of [
      path.replace('.', '%2e'),
      path.toUpperCase(),
      `${path}/`,
      `/output_images//${key}`,
      `${path}?x`,
    ]) {
      expect((await ask(way)).status, way).toBe(404);
    }
  });

  it('serves what links without a signature lead to, as they are out', async () => {
    const { key } = await startWithBucket({ urlMode: 'public' });
    expect((await ask(`/output_images/${key}`)).status).toBe(200);
  });

  it.each([true, false])('streams, whole and in part (local copy there: %s)', async (local) => {
    const { url, key } = await startWithBucket({ urlMode: 'proxy' });
    if (!local) await unlink(join(directory, key));
    const whole = await ask(url);
    expect([whole.status, whole.headers.get('content-type')]).toEqual([200, 'image/png']);
    expect(whole.bytes).toEqual(PNG);
    expect(whole.headers.get('content-disposition')).toBe(`inline; filename="${key}"`);
    expect(whole.headers.get('cache-control')).toMatch(/^private, max-age=25\d{5}, immutable$/);
    expectSafe(whole.headers);
    const etag = whole.headers.get('etag') ?? '';
    expect(await ask(url, { 'if-none-match': `"x", W/${etag}` })).toMatchObject({ status: 304 });
    const head = await ask(url, {}, 'HEAD');
    expect([head.status, head.headers.get('content-length'), head.headers.get('etag')]).toEqual([
      200,
      '100',
      etag,
    ]);
    for (const [range, from, to] of [
      ['bytes=10-19', 10, 19],
      ['bytes=90-', 90, 99],
      ['bytes=-5', 95, 99],
      ['bytes=0-5000', 0, 99],
    ] as const) {
      const part = await ask(url, { range });
      expect([part.status, part.headers.get('content-range')]).toEqual([206, `bytes ${from}-${to}/100`]);
      expect(part.bytes).toEqual(PNG.subarray(from, to + 1));
    }
    for (const range of ['bytes=5-4', 'bytes=0-1,5-6', 'lines=1-2', 'bytes=x-']) {
      expect((await ask(url, { range })).status).toBe(200);
    }
    expect((await ask(url, { range: 'bytes=1-2', 'if-range': '"other"' })).status).toBe(200);
    expect((await ask(url, { range: 'bytes=1-2', 'if-range': etag })).status).toBe(206);
    const beyond = await ask(url, { range: 'bytes=100-' });
    expect([beyond.status, beyond.code, beyond.headers.get('content-range')]).toEqual([
      416,
      'range_not_satisfiable',
      'bytes */100',
    ]);
  });

  it('knows no file that is neither here nor there', async () => {
    const { url, key } = await startWithBucket({ urlMode: 'proxy' });
    await unlink(join(directory, key));
    server.objects.clear();
    expect(await ask(url)).toMatchObject({ status: 404, code: 'not_found' });
  });

  it('breaks the connection where the bytes break off', async () => {
    const { url, key } = await startWithBucket({ urlMode: 'proxy' });
    await unlink(join(directory, key));
    server.faults.add({ kind: 'truncate', afterBytes: 40 }, { method: 'GET' });
    const request = get(new URL(url, base));
    const [response] = (await once(request, 'response')) as [IncomingMessage];
    expect(response.statusCode).toBe(200);
    await expect(text(response)).rejects.toThrow('aborted');
    expect(response.complete).toBe(false);
    expect((await ask(url)).bytes).toEqual(PNG);
  });

  it('says that the bucket is out of reach', async () => {
    const { url, key } = await startWithBucket({ urlMode: 'proxy' });
    await unlink(join(directory, key));
    server.faults.add({ kind: 'error', status: 403, code: 'AccessDenied' });
    expect(await ask(url)).toMatchObject({ status: 502, code: 'storage_error' });
  });
});
