import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ComfyStandin } from '../comfyui/index.js';
import { OssServer } from '../oss/index.js';
import { Gateway, readProblem } from './support/gateway.js';
import { ossEnv } from './support/oss.js';
import { big, picture } from './support/workflows.js';

const DAY_MS = 86_400_000;
const md5 = (bytes: Buffer) => createHash('md5').update(bytes).digest('hex');

/** The whole way with a bucket: from the call to the bytes behind the link, over thirty days. */
describe('with Aliyun OSS', () => {
  let comfy: ComfyStandin;
  let oss: OssServer;
  let gateway: Gateway;

  beforeEach(async () => {
    comfy = await ComfyStandin.start();
    oss = await OssServer.start({ now: () => Date.now() });
  });
  afterEach(async () => {
    vi.useRealTimers();
    await gateway.stop();
    await oss.stop();
    await comfy.stop();
  });

  const start = async (env: Record<string, string> = {}) => {
    gateway = await Gateway.start(comfy.url, {
      env: ossEnv(oss, env),
    });
  };
  const generate = () => gateway.generate({ workflow_data: picture(), output_node_id: 277 });
  /** The clock of everything in this process: the gateway, the OSS server, the signatures. */
  const travel = (ms: number) => {
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + ms });
  };
  const uploads = () => oss.seen.filter(({ method }) => method === 'PUT');

  it('keeps the same bytes in ComfyUI, on disk and in the bucket, and answers with them', async () => {
    await start({ OSS_URL_MODE: 'gateway' });
    const response = await gateway.post('/api/generate_file', {
      workflow_data: picture(),
      output_node_id: 277,
    });
    const bytes = Buffer.from(await response.arrayBuffer());
    const [name = ''] = await gateway.files();
    expect(md5(await readFile(join(gateway.folder, name)))).toBe(md5(bytes));
    const [[key, object] = []] = oss.objects;
    expect(object?.bytes.equals(bytes)).toBe(true);
    expect(key).toContain(`comfy_images/${name}`);
    expect(uploads()).toHaveLength(1);
    expect(uploads()[0]).toMatchObject({ scheme: 'v4-header' });
  });

  it.each([
    ['gateway', {}],
    ['proxy', {}],
    ['direct', { OSS_SIGNATURE_VERSION: 'v1' }],
  ])('%s: a link works on day 0, 8 and 29.99, and is refused after day 30', async (mode, extra) => {
    await start({ OSS_URL_MODE: mode, ...extra });
    const { url, expires_at, outputs } = await generate();
    expect(Math.abs(Date.parse(expires_at ?? '') - Date.now() - 30 * DAY_MS)).toBeLessThan(5_000);
    expect(outputs[0]?.expires_at).toBe(expires_at);
    const stored = await readFile(join(gateway.folder, outputs[0]?.filename ?? ''));
    for (const days of [0, 8, 21.99]) {
      if (days > 0) travel(days * DAY_MS);
      const { status, bytes } = await gateway.fetch(url);
      expect(status).toBe(200);
      expect(md5(bytes)).toBe(md5(stored));
    }
    travel(0.01 * DAY_MS + 5_000);
    const late = await gateway.fetch(url);
    expect(late.status).toBe(mode === 'direct' ? 403 : 410);
  });

  it('auto: a direct URL where the bucket takes V1, a link of ours where it does not', async () => {
    await start();
    await expect.poll(async () => (await generate()).url, { timeout: 5_000 }).toContain(oss.bucket);
    expect((await gateway.fetch((await generate()).url)).status).toBe(200);
    await gateway.stop();
    oss.v1Disabled = true;
    await start({ SERVER_BASE_URL: 'http://pictures.example.com' });
    expect((await generate()).url).toMatch(
      /^http:\/\/pictures\.example\.com\/files\/image_\d+_[0-9a-f]{12}\.png\?e=/,
    );
  });

  it('gateway: redirects to OSS for GET and HEAD; a changed link is refused', async () => {
    await start({ OSS_URL_MODE: 'gateway' });
    const { url } = await generate();
    const redirect = await gateway.fetch(url, { redirect: 'manual' });
    expect(redirect.status).toBe(302);
    expect(redirect.headers.get('location')).toContain(oss.bucket);
    expect((await gateway.fetch(url, { method: 'HEAD' })).status).toBe(200);
    for (const changed of [
      url.replace(/e=\d/, 'e=9'),
      url.replace(/s=./, 's=!'),
      url.replace(/&k=[^&]*/, ''),
    ]) {
      const response = await fetch(new URL(changed, gateway.url));
      expect(await readProblem(response)).toMatchObject({ status: 403, code: 'link_invalid' });
    }
  });

  it('proxy: answers ranges and conditions', async () => {
    await start({ OSS_URL_MODE: 'proxy' });
    const { url } = await generate();
    const whole = await gateway.fetch(url);
    const part = await gateway.fetch(url, { headers: { range: 'bytes=8-15' } });
    expect(part.status).toBe(206);
    expect(part.bytes.equals(whole.bytes.subarray(8, 16))).toBe(true);
    const etag = whole.headers.get('etag') ?? '';
    expect((await gateway.fetch(url, { headers: { 'if-none-match': etag } })).status).toBe(304);
    expect((await gateway.fetch(url, { headers: { range: 'bytes=999999-' } })).status).toBe(416);
  });

  it('public: an unsigned URL that does not expire', async () => {
    await start({ OSS_URL_MODE: 'public', OSS_PUBLIC_BASE_URL: 'https://cdn.example.com/pics' });
    const { url, expires_at } = await generate();
    expect(url).toMatch(/^https:\/\/cdn\.example\.com\/pics\/(comfy_images\/)?image_/);
    expect(expires_at).toBeNull();
  });

  it('tries again after passing faults, and uploads once', async () => {
    await start({ OSS_URL_MODE: 'gateway' });
    oss.faults.add({ kind: 'error', status: 503, code: 'ServiceUnavailable' }, { times: 2, method: 'PUT' });
    const { url } = await generate();
    expect(uploads()).toHaveLength(3);
    expect((await gateway.fetch(url)).status).toBe(200);
  });

  it('502 storage_error where OSS refuses, keeping the local copy and leaking nothing', async () => {
    await start({ OSS_URL_MODE: 'gateway', OSS_ACCESS_KEY_SECRET: 'wrong-secret-of-the-key' });
    const problem = await gateway.problem('/api/generate', { workflow_data: picture(), output_node_id: 277 });
    expect(problem).toMatchObject({ status: 502, code: 'storage_error' });
    expect(JSON.stringify(problem)).not.toMatch(
      /wrong-secret|Signature|StringToSign|aliyuncs|127\.0\.0\.1|\/tmp/,
    );
    expect(await gateway.files()).toHaveLength(1);
  });

  it('sends a large file from the disk', async () => {
    await start({ OSS_URL_MODE: 'gateway' });
    const size = 24 * 1024 * 1024;
    const { outputs } = await gateway.generate({ workflow_data: big(size), output_node_id: 277 });
    expect(outputs[0]?.size).toBe(size);
    const stored = await readFile(join(gateway.folder, outputs[0]?.filename ?? ''));
    expect([...oss.objects.values()][0]?.bytes.equals(stored)).toBe(true);
  });
});
