import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { describe, expect, it } from 'vitest';
import { Service } from './support/service.js';

describe('the start of the service', () => {
  it('says in one line that the port is in use, and exits with 1', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    await once(other, 'listening');
    const { port } = other.address() as AddressInfo;
    try {
      const { code, output } = await Service.runToEnd({
        PORT: String(port),
        HOST: '127.0.0.1',
        ENABLE_OSS: 'false',
      });
      expect(code).toBe(1);
      expect(output).not.toContain('    at ');
      expect(output.trimEnd().split('\n').at(-1)).toBe(
        `Port ${port} of 127.0.0.1 cannot be listened on: another program uses it. End that program, or set PORT to another port.`,
      );
    } finally {
      other.close();
    }
  });

  it('says at start why ComfyUI cannot be reached, and tells nobody where it is', async () => {
    const service = await Service.start({
      COMFYUI_SERVER: 'http://user:hidden-word@127.0.0.1:9/?token=hidden-word',
    });
    await expect
      .poll(() => service.log, { timeout: 10_000 })
      .toContain('127.0.0.1:9 cannot be reached: Connection refused.');
    const ready = await fetch(`${service.url}/health/ready`);
    const health = await ready.text();
    expect([ready.status, health]).toEqual([
      503,
      expect.stringContaining('"reasons":[{"backend":1,"reason":"connection refused"}]'),
    ]);
    const backends = await (await fetch(`${service.url}/api/backends`)).text();
    expect(backends).toContain('"message":"Connection refused. Nothing listens there.');
    expect(service.log + backends + health).not.toContain('hidden-word');
    expect(health).not.toContain('127.0.0.1');
    expect(service.log.match(/cannot be reached/g)).toHaveLength(1);
    await service.stop();
  });
});
