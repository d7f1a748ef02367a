import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ComfyStandin } from './index.js';
import { eventually, simple, slow, SpecClient } from './spec-client.js';

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

describe('faults', () => {
  let comfy: ComfyStandin;
  let client: SpecClient;

  beforeEach(async () => {
    comfy = await ComfyStandin.start();
    client = await SpecClient.connect(comfy);
  });

  afterEach(async () => {
    client.close();
    await comfy.stop();
  });

  it('cuts sockets without a close frame', async () => {
    comfy.faults.dropSockets();
    expect(await eventually(() => client.closed)).toBe(1006);
    expect(comfy.sockets.count).toBe(0);
  });

  it('mutes a socket: no pong, no event, and it stays open', async () => {
    comfy.faults.muteSockets();
    client.ws.ping();
    await client.run(simple());
    await pause(30);
    expect(client.pongs).toBe(0);
    expect(client.types()).toEqual(['status']);
    expect(comfy.sockets).toMatchObject({ count: 1, muted: 1 });
    comfy.faults.unmuteSockets();
    await eventually(() => client.pongs === 1);
  });

  it('loses events of one type', async () => {
    comfy.faults.loseEvents('executed');
    await client.run(simple());
    await eventually(() => client.types().includes('execution_success'));
    expect(client.types()).not.toContain('executed');
  });

  it('fails, resets and hangs requests, once each', async () => {
    const ask = (ms = 1000) => fetch(`${comfy.url}/queue`, { signal: AbortSignal.timeout(ms) });
    comfy.faults.failNext('GET /queue', 503, { error: 'busy' });
    expect((await ask()).status).toBe(503);
    comfy.faults.resetNext('GET /queue');
    await expect(ask()).rejects.toThrow('fetch failed');
    comfy.faults.hangNext('GET /queue');
    await expect(ask(50)).rejects.toThrow('timeout');
    expect((await ask()).status).toBe(200);
  });

  it('delays a route', async () => {
    comfy.faults.delay('GET /prompt', 60);
    const start = Date.now();
    await fetch(`${comfy.url}/prompt`);
    expect(Date.now() - start).toBeGreaterThanOrEqual(55);
  });

  it('breaks off and slows down /view', async () => {
    const size = 100_000;
    await client.run({
      '1': { class_type: 'ProbeBytes', inputs: { size, extension: 'png', filename_prefix: 'b' } },
    });
    const view = () => fetch(`${comfy.url}/view?filename=b_00001_.png`);
    comfy.faults.truncateView(5000);
    const broken = await view();
    expect(broken.headers.get('content-length')).toBe(String(size));
    await expect(broken.arrayBuffer()).rejects.toThrow('terminated');
    comfy.faults.slowView(500_000, 1);
    const start = Date.now();
    expect((await (await view()).arrayBuffer()).byteLength).toBe(size);
    expect(Date.now() - start).toBeGreaterThan(120);
    expect((await (await view()).arrayBuffer()).byteLength).toBe(size);
  });

  it('writes the history late', async () => {
    comfy.faults.lateHistory(80);
    const id = await client.submit(simple());
    await eventually(() => client.events.some(({ data }) => data['node'] === null));
    expect(comfy.history.has(id)).toBe(false);
    await eventually(() => comfy.history.has(id));
  });

  it('forgets everything and works on', async () => {
    await client.submit(slow(100));
    await client.submit(simple());
    await eventually(() => comfy.queue.running.length === 1);
    comfy.faults.forgetAll();
    expect(comfy.queue).toEqual({ running: [], pending: [] });
    expect((await client.run(simple())).status.completed).toBe(true);
    await eventually(() => comfy.executed.some(({ outcome }) => outcome === 'abandoned'));
    expect(comfy.executed).toHaveLength(2);
  });

  it('refuses connections and keeps the open ones', async () => {
    await comfy.faults.refuseConnections();
    await expect(fetch(`${comfy.url}/queue`)).rejects.toThrow('fetch failed');
    expect(client.closed).toBeUndefined();
    await comfy.faults.refuseConnections(false);
    expect((await fetch(`${comfy.url}/queue`)).status).toBe(200);
  });

  it('is cut off, and what runs goes on', async () => {
    await client.submit(slow(100));
    await eventually(() => comfy.queue.running.length === 1);
    await comfy.faults.cutOff();
    await eventually(() => client.closed !== undefined);
    await expect(fetch(`${comfy.url}/queue`)).rejects.toThrow('fetch failed');
    expect(comfy.queue.running).toHaveLength(1);
    await comfy.faults.refuseConnections(false);
    expect((await fetch(`${comfy.url}/queue`)).status).toBe(200);
  });

  it('swallows a prompt', async () => {
    comfy.faults.swallowPrompt();
    const id = await client.submit(simple());
    await pause(30);
    expect(comfy.queue).toEqual({ running: [], pending: [] });
    expect(comfy.history.has(id)).toBe(false);
  });

  it('runs out of memory, and raises what it is told', async () => {
    comfy.faults.oomNext();
    const { status } = await client.run(simple());
    expect(status.messages.at(-1)).toMatchObject([
      'execution_error',
      { exception_type: 'torch.OutOfMemoryError' },
    ]);
    comfy.faults.raiseNext('KeyError', "'x'");
    const raised = await client.run(simple());
    expect(raised.status.messages.at(-1)).toMatchObject(['execution_error', { exception_type: 'KeyError' }]);
    expect((await client.run(simple())).status.completed).toBe(true);
  });

  it('refuses a WebSocket', async () => {
    comfy.faults.failNext('GET /ws', 502);
    await expect(SpecClient.connect(comfy, 'other')).rejects.toThrow('502');
    (await SpecClient.connect(comfy, 'other')).close();
  });

  it('sends garbage', async () => {
    const texts: string[] = [];
    client.ws.removeAllListeners('message');
    client.ws.on('message', (data: Buffer) => texts.push(data.toString()));
    comfy.faults.sendGarbage('{"type":');
    await eventually(() => texts.length > 0);
    expect(texts).toEqual(['{"type":']);
  });
});

describe('kill and restart', () => {
  it('loses everything and comes back on the same port', async () => {
    const comfy = await ComfyStandin.start();
    try {
      const client = await SpecClient.connect(comfy);
      await client.run(simple());
      const id = await client.submit(slow(500));
      await eventually(() => comfy.queue.running.includes(id));
      const { address } = comfy;
      await comfy.kill();
      expect(await eventually(() => client.closed)).toBe(1006);
      await expect(fetch(`${comfy.url}/queue`)).rejects.toThrow('fetch failed');
      await comfy.restart();
      expect(comfy.address).toBe(address);
      expect(comfy.history.size).toBe(0);
      const again = await SpecClient.connect(comfy);
      const entry = await again.run(simple());
      expect(entry.prompt[0]).toBe(0);
      // What was saved is still there, so numbering goes on.
      expect(entry.outputs['9']).toEqual({
        images: [{ filename: 'gw_00002_.png', subfolder: '', type: 'output' }],
      });
      again.close();
    } finally {
      await comfy.stop();
    }
  });
});
