import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { Agent as HttpAgent, type IncomingMessage, request } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import { type AddressInfo, connect, createServer, type LookupFunction, type Socket } from 'node:net';
import { readdir } from 'node:fs/promises';
import { Logger } from '@nestjs/common';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type Fault, OssServer } from '../../../test/oss/index.js';
import { png } from '../storage.contract.spec-helper.js';
import type { OssOptions } from '../storage.options.js';
import { ossOptions, startOss } from './oss.storage.spec-helper.js';

const SECRET = 'TestSecret/With+Odd=Chars0123';

describe('uploads to OSS', () => {
  let server: OssServer;
  let stops: (() => Promise<void>)[];

  beforeEach(async () => {
    Logger.overrideLogger(false);
    vi.spyOn(console, 'warn').mockReturnValue(undefined); // urllib's, about broken uploads.
    server = await OssServer.start({ cnames: { 'img.example.com': 'gw-images' } });
    stops = [];
  });

  afterEach(async () => {
    for (const stop of stops) await stop();
    await server.stop();
    vi.restoreAllMocks();
  });

  async function start(more: Partial<OssOptions> = {}, parts: Parameters<typeof startOss>[1] = {}) {
    const under = await startOss(ossOptions(server, more), parts);
    stops.push(under.stop);
    return under;
  }

  const uploads = () => server.seen.filter(({ method }) => method === 'PUT');
  const statuses = () => uploads().map(({ status }) => status);

  it('sends what OSS needs to check and to serve the file', async () => {
    const { storage } = await start();
    const bytes = png();
    const { key } = await storage.put({ body: bytes });
    expect(uploads()).toHaveLength(1);
    expect(uploads()[0]).toMatchObject({
      key: `comfy_images/${key}`,
      scheme: 'v4-header',
      status: 200,
      bytes: 1_000,
    });
    expect(uploads()[0]?.headers).toMatchObject({
      'content-type': 'image/png',
      'content-length': '1000',
      'content-md5': createHash('md5').update(bytes).digest('base64'),
      'cache-control': 'private, max-age=31536000, immutable',
      'content-disposition': `inline; filename="${key}"`,
    });
  });

  /** Every name leads to this machine, as if it were OSS. */
  const lookup: LookupFunction = (_host, options, callback) =>
    options.all ? callback(null, [{ address: '127.0.0.1', family: 4 }]) : callback(null, '127.0.0.1', 4);
  const agents = () => ({ http: new HttpAgent({ keepAlive: true, lookup }), https: new HttpsAgent() });

  it.each([
    ['v4', 'http://oss-cn-hangzhou.aliyuncs.com', undefined],
    ['v1', 'http://oss-cn-hangzhou.aliyuncs.com', undefined],
    ['v4', 'http://img.example.com', 'cn-hangzhou'],
    ['v1', 'http://img.example.com', undefined],
  ] as const)('finds the bucket with %s at %s', async (signatureVersion, endpoint, region) => {
    const options = { signatureVersion, endpoint: `${endpoint}:${server.port}`, region };
    const { storage } = await start(options, { agents: agents() });
    const { key } = await storage.put({ body: png() });
    expect(server.objects.has(`comfy_images/${key}`)).toBe(true);
    for (const method of ['GET', 'HEAD'] as const) {
      const { url } = await storage.presign(key, { method, ttlSeconds: 60 });
      const { pathname, search, host } = new URL(url);
      expect(host).toBe(uploads()[0]?.host);
      const answer = await fetchAs(host, pathname + search, method);
      expect([method, answer]).toEqual([method, 200]);
    }
  });

  async function fetchAs(host: string, path: string, method: string): Promise<number | undefined> {
    const outgoing = request({ host: '127.0.0.1', port: server.port, path, method, headers: { host } }).end();
    const [response] = (await once(outgoing, 'response')) as [IncomingMessage];
    return response.resume().statusCode;
  }

  it.each<[string, Partial<OssOptions>, string]>([
    ['a wrong secret', { accessKeySecret: 'wrong' }, 'auth'],
    ['an unknown key', { accessKeyId: 'LTAInobody' }, 'auth'],
    ['another bucket', { bucket: 'no-such-bucket' }, 'no_bucket'],
    ['a wrong region', { region: 'cn-beijing' }, 'config'],
  ])('gives up at once on %s, keeps the local copy, and is not well', async (_what, more, reason) => {
    const { storage, directory } = await start(more);
    await expect(storage.put({ body: png() })).rejects.toMatchObject({
      code: 'storage_error',
      reason,
      retryable: false,
    });
    expect(uploads()).toHaveLength(1);
    expect((await readdir(directory)).filter((name) => name.startsWith('image_'))).toHaveLength(1);
    const health = await storage.check();
    expect(health).toEqual({ ok: false, detail: expect.stringContaining('OSS') as string });
    expect(JSON.stringify(health)).not.toMatch(/no-such|LTAI|localhost|comfy_images/);
  });

  it('signs for the region of the bucket, whichever it is', async () => {
    await server.stop();
    server = await OssServer.start({ region: 'cn-beijing' });
    const { storage } = await start();
    const { key } = await storage.put({ body: png() });
    const { url } = await storage.presign(key, { method: 'GET', ttlSeconds: 60 });
    expect((await fetch(url)).status).toBe(200);
  });

  it('is told about a clock that is wrong', async () => {
    await server.stop();
    server = await OssServer.start({ now: () => Date.now() + 16 * 60_000 });
    const { storage } = await start();
    await expect(storage.put({ body: png() })).rejects.toMatchObject({ reason: 'clock_skew' });
  });

  it('is refused with V1 where that is switched off', async () => {
    server.v1Disabled = true;
    const { storage } = await start({ signatureVersion: 'v1' });
    await expect(storage.put({ body: png() })).rejects.toMatchObject({
      reason: 'forbidden',
      retryable: false,
    });
  });

  const PASSING: [string, Fault, string][] = [
    ['503', { kind: 'error', status: 503, code: 'ServiceUnavailable' }, 'throttled'],
    ['429', { kind: 'error', status: 429, code: 'QpsLimitExceeded' }, 'throttled'],
    ['500', { kind: 'error', status: 500, code: 'InternalError' }, 'unavailable'],
    [
      'a page of a proxy',
      { kind: 'raw', status: 502, body: '<html><body>Bad gateway<hr></html>' },
      'unavailable',
    ],
    ['an empty 502', { kind: 'raw', status: 502 }, 'unavailable'],
    ['a reset', { kind: 'reset', afterBytes: 400 }, 'unavailable'],
  ];

  it.each(PASSING)('tries again after %s', async (_what, fault) => {
    const { storage } = await start();
    server.faults.add(fault, { times: 2 });
    const bytes = png();
    const { key } = await storage.put({ body: bytes });
    expect(uploads()).toHaveLength(3);
    expect(server.objects.get(`comfy_images/${key}`)?.bytes).toEqual(bytes);
    for (const { headers } of uploads()) {
      // Options that were used before would send both, which OSS refuses.
      expect(headers['transfer-encoding']).toBeUndefined();
      expect(headers['content-length']).toBe('1000');
    }
  });

  it.each(PASSING)('gives up when %s does not pass', async (_what, fault, reason) => {
    const { storage, directory } = await start();
    server.faults.add(fault, { times: 100 });
    const failure: unknown = await storage.put({ body: png() }).catch((error: unknown) => error);
    expect(failure).toMatchObject({ name: 'StorageError', code: 'storage_error', reason, retryable: true });
    expect(uploads()).toHaveLength(4);
    expect(server.objects.size).toBe(0);
    const told = JSON.stringify(failure) + String(failure);
    expect(told.length).toBeLessThan(2_048);
    expect(told).not.toContain(SECRET);
    expect(told).not.toContain(directory);
    expect(told).not.toMatch(/<html|Buffer|"data"/);
  });

  it('stops trying when the time is over', async () => {
    const { storage } = await start({ timeoutMs: 50 }, { retry: { attempts: 1_000, baseMs: 40, capMs: 40 } });
    server.faults.add({ kind: 'error', status: 503, code: 'ServiceUnavailable' }, { times: 1_000 });
    const start_ = performance.now();
    await expect(storage.put({ body: png() })).rejects.toMatchObject({ reason: 'throttled' });
    expect(performance.now() - start_).toBeLessThan(1_000);
  });

  it('believes nobody who does not prove to be OSS', async () => {
    const { storage } = await start();
    server.faults.add({ kind: 'raw', status: 200, body: '<html>Please log in</html>' }, { times: 100 });
    await expect(storage.put({ body: png() })).rejects.toMatchObject({ reason: 'integrity' });
    expect(uploads()).toHaveLength(2);
    server.faults.clear();
    server.faults.add({ kind: 'wrong-etag' });
    await storage.put({ body: png() });
    expect(statuses().slice(2)).toEqual([200, 200]);
  });

  it('sends the same bytes again when the answer was lost', async () => {
    const { storage } = await start();
    server.faults.add({ kind: 'lose-answer' });
    const bytes = png();
    const { key } = await storage.put({ body: bytes });
    expect(uploads()).toHaveLength(2);
    expect([...server.objects.keys()]).toEqual([`comfy_images/${key}`]);
  });

  it('does not wait for ever', async () => {
    const { storage } = await start({ timeoutMs: 60 }, { retry: { attempts: 2, baseMs: 1, capMs: 1 } });
    server.faults.add({ kind: 'hang' }, { times: 100 });
    await expect(storage.put({ body: png() })).rejects.toMatchObject({ reason: 'timeout', retryable: true });
  });

  it('lets a slow upload go on as long as it moves', async () => {
    const proxy = await startSlowProxy(server.port, 3_000_000, 700);
    stops.push(proxy.stop);
    const { storage } = await start({ timeoutMs: 400, endpoint: `http://localhost:${proxy.port}` });
    const bytes = png(3_000_000);
    const started = performance.now();
    const { key } = await storage.put({ body: bytes });
    expect(performance.now() - started).toBeGreaterThan(500);
    expect(server.objects.get(`comfy_images/${key}`)?.bytes.equals(bytes)).toBe(true);
    expect(uploads()).toHaveLength(1);
  });

  it('waits in line where all connections are busy', async () => {
    const { storage } = await start({ maxSockets: 2 });
    await Promise.all(Array.from({ length: 20 }, () => storage.put({ body: png() })));
    expect(server.objects.size).toBe(20);
    expect(uploads()).toHaveLength(20);
  });

  it('stops uploading when told to', async () => {
    const { storage } = await start({}, { retry: { attempts: 4, baseMs: 60_000, capMs: 60_000 } });
    server.faults.add({ kind: 'error', status: 503, code: 'ServiceUnavailable' }, { times: 100 });
    const abort = new AbortController();
    const reason = new Error('nobody waits any more');
    const putting = storage.put({ body: png(), signal: abort.signal });
    await expect.poll(() => uploads().length).toBeGreaterThan(0);
    abort.abort(reason);
    await expect(putting).rejects.toBe(reason);
  });

  it('says when nobody listens, or there is no such host', async () => {
    const closed = createServer().listen(0);
    const { port } = closed.address() as { port: number };
    closed.close();
    const refused = await start({ endpoint: `http://localhost:${port}` });
    await expect(refused.storage.put({ body: png() })).rejects.toMatchObject({
      reason: 'unavailable',
      retryable: true,
    });
    const nowhere = await start({ endpoint: 'http://nowhere.invalid', urlMode: 'gateway' });
    await expect(nowhere.storage.put({ body: png() })).rejects.toMatchObject({ reason: 'unavailable' });
  });

  it('leaves no connection open', async () => {
    const { storage } = await start();
    await Promise.all([storage.put({ body: png() }), storage.put({ body: png() })]);
    const connections = () => server.connections();
    expect(await connections()).toBeGreaterThan(0);
    storage.onApplicationShutdown();
    await expect.poll(connections).toBe(0);
  });
});

/** Passes on so many bytes of each connection within so many ms. */
async function startSlowProxy(port: number, bytes: number, ms: number) {
  const sockets = new Set<Socket>();
  const proxy = createServer((client) => {
    const upstream = connect(port, '127.0.0.1');
    for (const socket of [client, upstream]) sockets.add(socket.on('error', () => socket.destroy()));
    upstream.pipe(client);
    client.on('data', (chunk: Buffer) => {
      upstream.write(chunk);
      client.pause();
      setTimeout(() => client.resume(), (chunk.length / bytes) * ms);
    });
  }).listen(0, '127.0.0.1');
  await once(proxy, 'listening');
  return {
    port: (proxy.address() as AddressInfo).port,
    stop: () => {
      for (const socket of sockets) socket.destroy();
      proxy.close();
      return Promise.resolve();
    },
  };
}
