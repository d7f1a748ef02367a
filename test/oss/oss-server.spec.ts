import { once } from 'node:events';
import { type IncomingMessage, request as send } from 'node:http';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { OssServer } from './index.js';
import { type RecordedRequest, VECTORS } from './vectors.js';

const { main, sts } = VECTORS.credentials;
const CLOCK = Date.parse(VECTORS.clock);

describe('OssServer', () => {
  let now = CLOCK;
  let server: OssServer;

  beforeEach(async () => {
    now = CLOCK;
    server = await OssServer.start({
      keys: [
        { id: main.accessKeyId, secret: main.accessKeySecret },
        { id: sts.accessKeyId, secret: sts.accessKeySecret, securityToken: sts.securityToken ?? '' },
      ],
      cnames: { 'img.example.com': 'gw-images' },
      now: () => now,
    });
    // What the recorded requests ask for.
    const object = {
      bytes: Buffer.from('hello oss'),
      etag: '"X"',
      md5: Buffer.alloc(16),
      lastModified: new Date(CLOCK),
      headers: { 'content-type': 'image/png' },
    };
    for (const key of ['ai/a.png', 'ai/2026/03/image_1234567890.png', "中文 目录/a+b!'()*~%41?#.png"]) {
      server.objects.set(key, object);
    }
  });

  afterEach(() => server.stop());

  const SEVEN_DAYS_ONLY = 'v4q-get-30d-SIGNED-BUT-MUST-BE-REJECTED';

  it.each(VECTORS.vectors)('takes what ali-oss signed: $id', async ({ id, request }) => {
    // With x-oss-forbid-overwrite.
    if (request.method === 'PUT') server.objects.clear();
    const { status, code } = await replay(server, request);
    const success = request.method === 'DELETE' ? 204 : 200;
    expect([status, code]).toEqual(id === SEVEN_DAYS_ONLY ? [400, 'InvalidArgument'] : [success, undefined]);
  });

  it.each(VECTORS.checks)('$id: $mutation', async ({ id, request, clockOffsetSeconds, expect: expected }) => {
    now = CLOCK + clockOffsetSeconds * 1_000;
    if (request.method === 'PUT') server.objects.clear();
    const altered = id === 'neg-v1h-body-altered' ? { ...request, bodyUtf8: 'HELLO oss' } : request;
    const { status, code } = await replay(server, altered);
    expect([status, code ?? null]).toEqual([expected.status, expected.code]);
  });

  it('stores nothing of an upload that breaks off', async () => {
    const { request } = vector('v4h-put-buffer');
    server.objects.clear();
    const upload = open(server, { ...request, headers: { ...request.headers, 'content-length': '1000' } });
    upload.on('error', () => undefined);
    upload.write('hello');
    await expect.poll(() => server.seen[0]?.bytes).toBe(5);
    upload.destroy();
    await expect.poll(() => server.seen[0]?.aborted).toBe(true);
    expect(server.objects.size).toBe(0);
  });

  it('refuses V1 where it is switched off, and takes V4', async () => {
    server.v1Disabled = true;
    expect(await replay(server, vector('v1q-get-30d').request)).toMatchObject({
      status: 403,
      code: 'AccessDenied',
    });
    expect(await replay(server, vector('v4q-get-7d').request)).toMatchObject({ status: 200 });
  });

  it('answers an error to HEAD in a header', async () => {
    const { request } = vector('v4h-head');
    const { status, code, headers } = await replay(server, {
      ...request,
      headers: { ...request.headers, 'x-oss-evil': '1' },
    });
    expect([status, code]).toEqual([403, 'SignatureDoesNotMatch']);
    expect(Buffer.from(String(headers['x-oss-err']), 'base64').toString()).toContain('<StringToSign>');
  });

  it('has no such bucket, no such key, and no second-level domains', async () => {
    const { request } = vector('v4h-get');
    server.objects.clear();
    expect(await replay(server, request)).toMatchObject({ status: 404, code: 'NoSuchKey' });
    const elsewhere = { ...request.headers, host: 'oss-cn-hangzhou.aliyuncs.com' };
    expect(await replay(server, { ...request, headers: elsewhere })).toMatchObject({
      code: 'SecondLevelDomainForbidden',
    });
  });

  it('wants to know how long an upload is', async () => {
    const { request } = vector('v1q-put-content-type');
    const { status, code } = await replay(server, {
      ...request,
      headers: { ...request.headers, 'no-length': '1' },
    });
    expect([status, code]).toEqual([411, 'MissingContentLength']);
  });

  it('serves ranges', async () => {
    const { request } = vector('v4q-get-7d');
    const reply = await replay(server, { ...request, headers: { ...request.headers, range: 'bytes=6-' } });
    expect(reply).toMatchObject({ status: 206, body: 'oss' });
    expect(reply.headers['content-range']).toBe('bytes 6-8/9');
  });

  it('does wrong on demand, as often as asked', async () => {
    const { request } = vector('v4q-get-7d');
    server.faults.add({ kind: 'error', status: 503, code: 'ServiceUnavailable' }, { times: 2 });
    server.faults.add({ kind: 'raw', status: 502, body: '<html>' });
    server.faults.add({ kind: 'truncate', afterBytes: 3 });
    expect(await replay(server, request)).toMatchObject({ status: 503, code: 'ServiceUnavailable' });
    expect(await replay(server, request)).toMatchObject({ status: 503 });
    expect(await replay(server, request)).toMatchObject({ status: 502, body: '<html>' });
    await expect(replay(server, request)).rejects.toThrow('aborted');
    expect(await replay(server, request)).toMatchObject({ status: 200 });
  });
});

function vector(id: string) {
  const found = VECTORS.vectors.find((entry) => entry.id === id);
  if (found === undefined) throw new Error(`There is no vector ${id}.`);
  return found;
}

function open(server: OssServer, { method, url, headers }: RecordedRequest) {
  const path = url.replace(/^https?:\/\/[^/]+/, '');
  return send({ host: '127.0.0.1', port: server.port, method, path, headers, agent: false });
}

async function replay(server: OssServer, recorded: RecordedRequest) {
  const { method, bodyUtf8, headers } = recorded;
  const outgoing = open(server, recorded);
  const length = Number(headers['content-length'] ?? 0);
  const hasBody = method === 'PUT' || method === 'POST';
  if (hasBody && headers['no-length'] !== undefined) {
    Object.assign(outgoing, { useChunkedEncodingByDefault: false });
  } else if (hasBody && length === 0 && headers['transfer-encoding'] === undefined) {
    outgoing.setHeader('content-length', 0);
  }
  outgoing.end(hasBody ? (bodyUtf8 ?? 'x'.repeat(length)) : undefined);
  const [response] = (await once(outgoing, 'response')) as [IncomingMessage];
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  const body = Buffer.concat(chunks).toString();
  const inHeader = Buffer.from(String(response.headers['x-oss-err'] ?? ''), 'base64').toString();
  const code = /<Code>(\w+)<\/Code>/.exec(body || inHeader)?.[1];
  return { status: response.statusCode, headers: response.headers, body, code };
}
