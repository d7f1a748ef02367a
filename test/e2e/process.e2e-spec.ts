import { spawn } from 'node:child_process';
import { createHmac } from 'node:crypto';
import { text } from 'node:stream/consumers';
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

  it.each([
    ['OUTPUT_DIR', 'output folder'],
    ['STATE_DIR', 'state folder'],
  ])('says in one line that the folder of %s cannot be used, and exits with 1', async (setting, name) => {
    const { code, output } = await Service.runToEnd({
      PORT: '0',
      ENABLE_OSS: 'false',
      [setting]: '/dev/null',
    });
    expect(code).toBe(1);
    expect(output).toContain(`The ${name} "/dev/null" cannot be used: it is not a folder`);
    expect(output).not.toContain('    at ');
    expect(output.trimEnd().split('\n').at(-1)).toContain(`set ${setting} to another folder`);
  });

  it('warns where temporary files cannot be written', async () => {
    const service = await Service.start({ TMPDIR: '/dev/null' });
    expect(service.log).toContain('The folder for temporary files "/dev/null" cannot be written to');
    expect(await service.stop()).toMatchObject({ code: 0 });
  });

  it('exits with 0 if it is told to stop while it loads', async () => {
    const { code, output } = await Service.runToEnd(
      { PORT: '0', ENABLE_OSS: 'false' },
      'Starting Nest application',
    );
    expect(code, output).toBe(0);
  });

  it('says once that OSS is incomplete, what is missing, and nothing secret', async () => {
    const service = await Service.start({ ENABLE_OSS: 'true', OSS_ACCESS_KEY_SECRET: 'very-secret-value' });
    expect(service.log.match(/ENABLE_OSS is on, but/g)).toHaveLength(1);
    expect(service.log).toContain('OSS_ACCESS_KEY_ID, OSS_ENDPOINT, OSS_BUCKET_NAME are not set');
    expect(service.log).not.toContain('very-secret-value');
    expect(await service.stop()).toMatchObject({ code: 0 });
  });

  it('prints the secret of one receiver for its operator', async () => {
    const secret = `whsec_${Buffer.alloc(32, 7).toString('base64')}`;
    const own = `whsec_${Buffer.alloc(32, 8).toString('base64')}`;
    const run = async (...args: string[]) => {
      const child = spawn(process.execPath, ['dist/webhook-secret.js', ...args], {
        env: { PATH: process.env['PATH'] ?? '', WEBHOOK_SECRETS: `${secret},https://own.example=${own}` },
      });
      const [out, error] = await Promise.all([text(child.stdout), text(child.stderr)]);
      return { out: out.trim(), error: error.trim() };
    };
    const url = 'https://studio.example.com/hooks/comfy';
    const derived = createHmac('sha256', Buffer.alloc(32, 7)).update(url).digest('base64');
    expect(await run(`${url}?token=1`)).toEqual({ out: `whsec_${derived}`, error: '' });
    expect((await run('https://own.example/hook')).out).toBe(own);
    for (const bad of [[], ['studio'], [url, url]]) {
      expect(await run(...bad)).toEqual({ out: '', error: expect.stringMatching(/^Usage: /) as string });
    }
  });

  it('says once that webhooks would name no host', async () => {
    const secret = `whsec_${Buffer.alloc(32, 7).toString('base64')}`;
    const service = await Service.start({ WEBHOOK_SECRETS: secret });
    const lines = service.log.split('\n').filter((line) => line.includes('SERVER_BASE_URL'));
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatch(/ WARN \[Settings\] .*job_url and url in webhooks are paths without a host/);
    expect(service.log).not.toContain(secret);
    await service.stop();
  });

  it.each(['text', 'json'])('lets nobody forge a line of its log (%s)', async (format) => {
    const comfy = await ComfyStandin.start();
    const service = await Service.start({ COMFYUI_SERVER: comfy.address, LOG_FORMAT: format });
    const name = 'Node\n[Nest] 1  - 01/01/2026, 12:00:00 AM     LOG [Server] forged\u001b[2J\u009b2J\u202e';
    const response = await post(service.url, {
      workflow_data: { ...picture(), '2': { class_type: name, inputs: {} } },
    });
    expect(response.status).toBe(422);
    await expect.poll(() => service.log).toContain('forged');
    await service.stop();
    await comfy.stop();
    for (const line of service.log.split('\n').filter((one) => one.includes('forged'))) {
      if (format === 'text') expect(line).toMatch(/^\[Nest\] \d+ {2}- .* WARN \[JobRunner\] Job /);
      // ComfyUI's messages come in one line; all else is as it was.
      else
        expect((JSON.parse(line) as { message: string }).message).toContain(
          name.slice(name.indexOf('[Nest]')),
        );
    }
    // oxlint-disable-next-line no-control-regex
    expect(service.log).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e]/);
  });

  describe('on SIGTERM', () => {
    const start = async (env: Record<string, string>) => {
      const comfy = await ComfyStandin.start();
      const service = await Service.start({ COMFYUI_SERVER: comfy.address, COMFYUI_SLOTS: '1', ...env });
      await expect.poll(async () => (await fetch(`${service.url}/health/ready`)).status).toBe(200);
      return { comfy, service };
    };
    const ready = async ({ url }: Service) => (await fetch(`${url}/health/ready`)).status;

    it('exits with 0 also where it has only begun to start', async () => {
      const { code, output } = await Service.runToEnd(
        { PORT: '0', OUTPUT_DIR: 'pictures' },
        'Connecting to ComfyUI',
      );
      expect(code, output).toBe(0);
    });

    it('lets running jobs end, answers their callers, refuses new ones, and exits with 0', async () => {
      const { comfy, service } = await start({ SHUTDOWN_GRACE_S: '10' });
      const running = post(service.url, { workflow_data: slow({ steps: 60 }) });
      await expect.poll(() => comfy.queue.running.length).toBe(1);
      const queued = post(service.url, { workflow_data: slow({ steps: 60 }) });
      await expect
        .poll(async () => (await fetch(`${service.url}/api/backends`)).json())
        .toMatchObject({ waiting: 1 });
      const end = service.stop();
      expect((await queued).status).toBe(503);
      expect(await ready(service)).toBe(503);
      const late = await post(service.url, { workflow_data: picture() });
      expect([late.status, late.headers.get('retry-after')]).toEqual([503, '15']);
      expect(await late.json()).toMatchObject({ code: 'shutting_down' });
      const answer = await running;
      expect(answer.status).toBe(200);
      expect((await answer.arrayBuffer()).byteLength).toBeGreaterThan(0);
      expect(await end).toMatchObject({ code: 0, signal: null });
      expect(comfy.executed.map(({ outcome }) => outcome)).toEqual(['success']);
      await comfy.stop();
    });

    it('cancels what outlasts the grace time, and exits with 0', async () => {
      const { comfy, service } = await start({ SHUTDOWN_GRACE_S: '1' });
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

    it('and once more, ends at once', async () => {
      const { comfy, service } = await start({ SHUTDOWN_GRACE_S: '60' });
      const waiting = post(service.url, { workflow_data: slow({ steps: 1_000 }) }).catch(() => 'broken off');
      await expect.poll(() => comfy.queue.running.length).toBe(1);
      const end = service.stop();
      await expect.poll(() => ready(service)).toBe(503);
      service.signal('SIGTERM');
      expect(await end).toMatchObject({ code: null, signal: 'SIGTERM' });
      expect(await waiting).toBe('broken off');
      await comfy.stop();
    });
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
