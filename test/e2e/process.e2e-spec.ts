import { describe, expect, it } from 'vitest';
import { ComfyStandin } from '../comfyui/index.js';
import { Service } from './support/service.js';
import { big, picture, slow } from './support/workflows.js';

const MIB = 1024 * 1024;

const post = (url: string, body: unknown) =>
  fetch(`${url}/api/generate_file`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });

describe('the service as a process', () => {
  it('lists every wrong setting and exits with 1', async () => {
    const { code, output } = await Service.runToEnd({
      PORT: 'http',
      COMFYUI_SERVER: 'ftp://gpu',
      LINK_SECRETS: 'not-a-good-secret',
    });
    expect(code).toBe(1);
    expect(output).toMatch(/PORT: read "http".*accepted: a whole number/);
    expect(output).toMatch(/COMFYUI_SERVER: read "ftp:\/\/gpu".*accepted: host:port/);
    expect(output).toMatch(/LINK_SECRETS: read \(hidden/);
    expect(output).not.toContain('not-a-good-secret');
  });

  it('says once that OSS is incomplete, what is missing, and nothing secret', async () => {
    const service = await Service.start({ ENABLE_OSS: 'true', OSS_ACCESS_KEY_SECRET: 'very-secret-value' });
    expect(service.log.match(/ENABLE_OSS is on, but/g)).toHaveLength(1);
    expect(service.log).toContain('OSS_ACCESS_KEY_ID, OSS_ENDPOINT, OSS_BUCKET_NAME are not set');
    expect(service.log).not.toContain('very-secret-value');
    expect(await service.stop()).toMatchObject({ code: 0 });
  });

  it('ends by itself on SIGTERM, with connections open and a job running', async () => {
    const comfy = await ComfyStandin.start();
    const service = await Service.start({ COMFYUI_SERVER: comfy.address });
    await expect.poll(async () => (await fetch(`${service.url}/health/ready`)).status).toBe(200);
    expect((await post(service.url, { workflow_data: picture() })).status).toBe(200);
    const waiting = post(service.url, { workflow_data: slow({ steps: 1_000 }) });
    await expect.poll(() => comfy.queue.running.length).toBe(1);
    const end = await service.stop();
    expect((await waiting).status).toBe(503);
    expect(end).toMatchObject({ code: 0, signal: null });
    expect(end.ms).toBeLessThan(10_000);
    await expect.poll(() => comfy.queue.running.length).toBe(0);
    await comfy.stop();
  });

  it('passes 64 MB on, and four times that, with flat memory', async () => {
    const comfy = await ComfyStandin.start();
    const service = await Service.start({ COMFYUI_SERVER: comfy.address });
    await expect.poll(async () => (await fetch(`${service.url}/health/ready`)).status).toBe(200);
    await (await post(service.url, { workflow_data: big(1024) })).arrayBuffer();
    const before = service.peakMiB;
    for (const size of [64 * MIB, 256 * MIB]) {
      const response = await post(service.url, { workflow_data: big(size) });
      expect(response.headers.get('content-length')).toBe(String(size));
      let received = 0;
      for await (const chunk of response.body ?? []) received += (chunk as Uint8Array).length;
      expect(received).toBe(size);
    }
    // What stays is buffers of streams; a file held in memory would add its 256 MiB.
    expect(service.peakMiB - before).toBeLessThan(128);
    await service.stop();
    await comfy.stop();
  });
});
