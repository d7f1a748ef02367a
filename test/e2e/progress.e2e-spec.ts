import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import type net from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { lastValueFrom } from 'rxjs';
import { io, type ManagerOptions, type Socket, type SocketOptions } from 'socket.io-client';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { WebSocket } from 'ws';
import { ComfyService } from '../../src/comfy/index.js';
import { JobQueue } from '../../src/comfy/jobs/index.js';
import { JobFeed, MAX_PREVIEW_BYTES } from '../../src/feed/index.js';
import { ComfyStandin } from '../comfyui/index.js';
import { SOON } from './support/backends.js';
import { Gateway, type GatewayOptions } from './support/gateway.js';
import { failing, picture, slow } from './support/workflows.js';

interface Told {
  event: string;
  payload: Record<string, unknown>;
  bytes?: Buffer;
}

type Ack = { ok: boolean; job_id?: string; status?: string; error?: { code: string; message: string } };

const FINAL = new Set<unknown>(['succeeded', 'failed', 'cancelled']);
const EVENTS = ['status', 'progress', 'preview', 'output', 'log', 'error'] as const;

/** Not node's `once`, which takes an event named `error` for a failure. */
const heard = (socket: Socket, event: string) =>
  new Promise<void>((resolve) => socket.once(event, () => resolve()));

/** A client of the gateway, and all it was told. */
class Client {
  readonly told: Told[] = [];
  readonly socket: Socket;
  readonly ended: Promise<void>;

  constructor(url: string, options: Partial<ManagerOptions & SocketOptions> = {}) {
    this.socket = io(`${url}/progress`, { forceNew: true, transports: ['websocket'], ...options });
    let end = (): void => undefined;
    this.ended = new Promise((resolve) => (end = resolve));
    for (const event of EVENTS) {
      this.socket.on(event, (payload: Record<string, unknown>, bytes?: Buffer) => {
        this.told.push({ event, payload, ...(bytes === undefined ? {} : { bytes }) });
        if (event === 'status' && FINAL.has(payload['status'])) end();
      });
    }
  }

  subscribe(jobId: string): Promise<Ack> {
    return this.send('subscribe', { job_id: jobId });
  }

  send(event: string, ...data: unknown[]): Promise<Ack> {
    return this.socket.timeout(8_000).emitWithAck(event, ...data) as Promise<Ack>;
  }

  of(event: (typeof EVENTS)[number]): Told[] {
    return this.told.filter((told) => told.event === event);
  }

  get statuses(): unknown[] {
    const all = this.of('status').map(({ payload }) => payload['status']);
    return all.filter((status, index) => status !== all[index - 1]);
  }
}

describe('progress over Socket.IO', () => {
  let comfy: ComfyStandin;
  let gateway: Gateway;
  let service: ComfyService;
  let feed: JobFeed;
  const clients: Client[] = [];

  beforeEach(async () => {
    comfy = await ComfyStandin.start();
  });
  afterEach(async () => {
    for (const { socket } of clients.splice(0)) socket.close();
    await gateway.stop();
    await comfy.stop();
  });

  async function open(options: GatewayOptions = {}): Promise<void> {
    gateway = await Gateway.start(comfy.url, options);
    service = gateway.app.get(ComfyService);
    feed = gateway.app.get(JobFeed);
    await expect.poll(() => service.backends[0]?.usable, SOON).toBe(true);
  }
  function client(options: Partial<ManagerOptions & SocketOptions> = {}): Client {
    const made = new Client(gateway.url, options);
    clients.push(made);
    return made;
  }
  const submit = async (workflow: unknown) => (await service.submit({ workflow, outputNode: 277 })).id;
  const whenEnded = (id: string) => lastValueFrom(service.watch(id));
  const sawProgress = async (watcher: Client) => {
    await expect.poll(() => watcher.of('progress').length, SOON).not.toBe(0);
  };

  it.each(['websocket', 'polling'] as const)('tells all of a job, in order, over %s', async (transport) => {
    await open();
    const blocker = await submit(slow({ steps: 10 }));
    await submit(slow({ steps: 1 }));
    const id = await submit(slow({ steps: 60, preview: true }));
    const previews: Uint8Array[] = [];
    const states = service.watch(id).subscribe(({ event }) => {
      if (event?.type === 'preview') previews.push(event.preview.bytes);
    });
    const watcher = client({ transports: [transport] });
    expect(await watcher.subscribe(id)).toEqual({ ok: true, job_id: id, status: 'queued' });
    await watcher.ended;
    states.unsubscribe();
    expect(watcher.told[0]).toEqual({
      event: 'status',
      payload: expect.objectContaining({ job_id: id, status: 'queued' }),
    });
    expect(watcher.statuses.filter((status) => status !== 'storing')).toEqual([
      'queued',
      'running',
      'succeeded',
    ]);
    expect(watcher.told.every(({ payload }) => payload['job_id'] === id)).toBe(true);
    const values = watcher.of('progress').map(({ payload }) => payload['value'] as number);
    expect(values.length).toBeGreaterThan(2);
    expect(values).toEqual([...values].sort((a, b) => a - b));
    const told = watcher.of('preview');
    expect(told.length).toBeGreaterThan(0);
    expect(told[0]?.payload).toEqual({ job_id: id, node_id: '2', content_type: 'image/jpeg' });
    for (const { bytes } of told) {
      expect(previews.some((preview) => Buffer.compare(preview, bytes ?? Buffer.alloc(0)) === 0)).toBe(true);
    }
    const [output] = watcher.of('output');
    expect(output?.payload).toMatchObject({ node_id: '277', kind: 'image', expires_at: null });
    expect((await gateway.fetch(output?.payload['url'] as string)).bytes.length).toBe(
      output?.payload['size'],
    );
    expect(watcher.told.at(-1)).toMatchObject({ event: 'status', payload: { status: 'succeeded' } });
    expect((await whenEnded(blocker)).state.status).toBe('succeeded');
    await expect.poll(() => feed.watchers, SOON).toBe(0);
  });

  it('begins with the snapshot for who comes late, and for who comes after the end', async () => {
    await open();
    const id = await submit(slow({ steps: 60, preview: true }));
    const early = client();
    await early.subscribe(id);
    await expect.poll(() => early.of('preview').length, SOON).not.toBe(0);
    const late = client();
    expect(await late.subscribe(id)).toMatchObject({ ok: true, status: 'running' });
    await expect.poll(() => late.told.length, SOON).toBeGreaterThanOrEqual(3);
    expect(late.told.slice(0, 3).map(({ event }) => event)).toEqual(['status', 'progress', 'preview']);
    await Promise.all([early.ended, late.ended]);
    const after = client();
    expect(await after.subscribe(id.toUpperCase())).toMatchObject({
      ok: true,
      job_id: id,
      status: 'succeeded',
    });
    await after.ended;
    expect(after.told.slice(-2).map(({ event }) => event)).toEqual(['output', 'status']);
    expect(after.of('output')).toEqual(early.of('output'));
  });

  it('lets a client that lost its connection go on from the newest state', async () => {
    await open();
    const id = await submit(slow({ steps: 80 }));
    const watcher = client({ reconnectionDelay: 10 });
    watcher.socket.on('connect', () => void watcher.subscribe(id));
    await sawProgress(watcher);
    const lost = heard(watcher.socket, 'disconnect');
    watcher.socket.io.engine.close();
    await lost;
    const before = watcher.told.length;
    await watcher.ended;
    expect(watcher.told[before]).toMatchObject({ event: 'status', payload: { status: 'running' } });
    await expect.poll(() => feed.watchers, SOON).toBe(0);
  });

  it('tells why a job failed, just before its status', async () => {
    await open();
    const id = await submit(failing('ValueError'));
    const watcher = client();
    await watcher.subscribe(id);
    await watcher.ended;
    const [error, status] = watcher.told.slice(-2);
    expect(error).toMatchObject({
      event: 'error',
      payload: { job_id: id, code: 'node_execution_error', node_errors: { '2': {} } },
    });
    expect(status).toMatchObject({ event: 'status', payload: { status: 'failed' } });
  });

  it('tells of a job that was cancelled', async () => {
    await open();
    const id = await submit(slow({ steps: 500 }));
    const watcher = client();
    await watcher.subscribe(id);
    await sawProgress(watcher);
    service.cancel(id);
    await watcher.ended;
    expect(watcher.told.slice(-2)).toMatchObject([
      { event: 'error', payload: { code: 'cancelled' } },
      { event: 'status', payload: { status: 'cancelled' } },
    ]);
  });

  it('stops telling who unsubscribes, and goes on telling others', async () => {
    await open();
    const id = await submit(slow({ steps: 60 }));
    const [staying, leaving] = [client(), client()];
    await Promise.all([staying.subscribe(id), leaving.subscribe(id)]);
    await sawProgress(leaving);
    expect(await leaving.send('unsubscribe', { job_id: id })).toEqual({ ok: true, job_id: id });
    const before = leaving.told.length;
    expect(feed.watchers).toBe(1);
    await staying.ended;
    expect(leaving.told.length).toBe(before);
  });

  it('counts as watching: a caller who hangs up cancels nothing then', async () => {
    await open();
    const id = await submit(slow({ steps: 40 }));
    const watcher = client();
    await watcher.subscribe(id);
    await sawProgress(watcher);
    service.abandon(id);
    await watcher.ended;
    expect(watcher.statuses.at(-1)).toBe('succeeded');
  });

  it('answers what it does not understand, and goes on', async () => {
    await open();
    const watcher = client();
    const unknown = await watcher.subscribe('7b87c392-de65-410f-9557-0ac08ad2a975');
    expect(unknown).toMatchObject({ ok: false, error: { code: 'not_found' } });
    const wrong: unknown[][] = [
      [],
      [null],
      ['text'],
      [7],
      [[]],
      [{}],
      [{ job_id: 7 }],
      [{ job_id: 'x' }],
      [{ job_id: '7b87c392-de65-410f-9557-0ac08ad2a975', more: 1 }],
      [{ constructor: 1 }],
      [{ job_id: Buffer.from('x') }],
      [{}, {}],
    ];
    for (const data of wrong) {
      for (const event of ['subscribe', 'unsubscribe']) {
        const answer = await watcher.send(event, ...data);
        expect(answer, JSON.stringify(data)).toMatchObject({ ok: false, error: { code: 'invalid_request' } });
      }
    }
    // Nobody who wants an answer: nobody who gets one.
    watcher.socket.emit('subscribe', { job_id: 7 });
    watcher.socket.emit('something else', 1);
    const id = await submit(picture());
    expect(await watcher.subscribe(id)).toMatchObject({ ok: true });
    await watcher.ended;
    expect(feed.watchers).toBe(0);
  });

  it.each(['no packet', '4', '42/progress,', '42/progress,[', '451-/progress,["subscribe"]', '49'])(
    'survives %j',
    async (text) => {
      await open();
      const raw = new WebSocket(`${gateway.url}/socket.io/?EIO=4&transport=websocket`);
      await once(raw, 'message');
      raw.send('40/progress,');
      await once(raw, 'message');
      raw.send(text);
      // Too long for what a client has to say.
      raw.send(`42/progress,["subscribe","${'x'.repeat(70_000)}"]`);
      await once(raw, 'close');
      const watcher = client();
      await watcher.subscribe(await submit(picture()));
      await watcher.ended;
      expect(watcher.statuses.at(-1)).toBe('succeeded');
    },
  );

  it('refuses the 101st job of a client', async () => {
    await open({ env: { MAX_QUEUE: '200' } });
    const watcher = client();
    const ids = await Promise.all(Array.from({ length: 101 }, () => submit(slow({ steps: 200 }))));
    for (const id of ids.slice(0, 100)) expect(await watcher.subscribe(id)).toMatchObject({ ok: true });
    const [first = '', last = ''] = [ids[0], ids[100]];
    expect(await watcher.subscribe(last)).toMatchObject({ ok: false, error: { code: 'too_many_streams' } });
    // Once more is not one more.
    expect(await watcher.subscribe(first)).toMatchObject({ ok: true });
    await watcher.send('unsubscribe', { job_id: first });
    expect(await watcher.subscribe(last)).toMatchObject({ ok: true });
    watcher.socket.close();
    await expect.poll(() => feed.watchers, SOON).toBe(0);
  });

  it('shows 250 watchers the end, over one subscription to the engine', async () => {
    await open();
    const id = await submit(slow({ steps: 300, preview: true }));
    const watch = vi.spyOn(service, 'watch');
    const many = Array.from({ length: 250 }, () => client());
    await Promise.all(many.map((watcher) => watcher.subscribe(id)));
    expect(feed.watchers).toBe(250);
    await Promise.all(many.map(({ ended }) => ended));
    expect(watch).toHaveBeenCalledTimes(1);
    for (const watcher of many) {
      expect(watcher.told.at(-1)).toMatchObject({ event: 'status', payload: { status: 'succeeded' } });
      expect(watcher.of('output')).toHaveLength(1);
    }
    await expect.poll(() => feed.watchers, SOON).toBe(0);
  });

  it('keeps nothing for a client that does not read, and gives it the newest when it does', async () => {
    await open();
    const running = await submit(slow({ steps: 2_000 }));
    await expect.poll(() => service.find(running)?.progress, SOON).toBeDefined();
    const job = gateway.app.get(JobQueue).find(running) ?? expect.fail('the job is not there');
    const connected = once(gateway.app.getHttpServer(), 'connection') as Promise<[net.Socket]>;
    const raw = new WebSocket(`${gateway.url}/socket.io/?EIO=4&transport=websocket`);
    const texts: string[] = [];
    let binary = 0;
    raw.on('message', (data: Buffer, isBinary) => (isBinary ? (binary += 1) : texts.push(data.toString())));
    await once(raw, 'message');
    raw.send('40/progress,');
    await once(raw, 'message');
    raw.send(`42/progress,["subscribe",{"job_id":"${running}"}]`);
    await expect.poll(() => feed.watchers, SOON).toBe(1);
    raw.pause();
    const reader = client();
    await reader.subscribe(running);
    // More than the kernel's buffers take, in previews that come as fast as readers get them.
    const previews = 24;
    for (let count = 0; count < previews; count += 1) {
      const bytes = Buffer.alloc(MAX_PREVIEW_BYTES, count);
      job.apply({ type: 'preview', preview: { node: '2', mime: 'image/jpeg', bytes } });
      await expect.poll(() => reader.of('preview').at(-1)?.bytes?.[0], SOON).toBe(count);
    }
    const [socket] = await connected;
    // Of what is not in the kernel's hands: what is being sent, and no more.
    expect(socket.writableLength).toBeLessThan(1.1 * MAX_PREVIEW_BYTES);
    expect(feed.watchers).toBe(2);
    service.cancel(running);
    await reader.ended;
    raw.resume();
    await expect.poll(() => texts.at(-1), SOON).toContain('"cancelled"');
    expect(binary).toBeLessThan(previews);
    raw.close();
    await expect.poll(() => feed.watchers, SOON).toBe(0);
  });

  it('is what the example in examples/progress shows', async () => {
    await open();
    const script = fileURLToPath(new URL('../../examples/progress/watch-job.mjs', import.meta.url));
    // Long enough for the script to subscribe while it runs, also on a busy machine.
    const workflow = join(gateway.folder, '.workflow_api.json');
    await writeFile(workflow, JSON.stringify(slow({ steps: 100, delayMs: 40 })));
    const { stdout } = await promisify(execFile)(process.execPath, [script, gateway.url, workflow], {
      timeout: 20_000,
    });
    expect(stdout).toMatch(/^Job [0-9a-f-]{36}\n/);
    expect(stdout).toMatch(/100 %/);
    const [, url = ''] = /(http\S+\.png), \d+ bytes/.exec(stdout) ?? [];
    expect((await gateway.fetch(url)).headers.get('content-type')).toBe('image/png');
    expect(stdout.trimEnd().endsWith('succeeded')).toBe(true);
  });

  describe('when the service stops', () => {
    it('tells the end of jobs first, and then disconnects', async () => {
      await open({ comfy: { shutdownGraceMs: 50 } });
      const [running, queued] = [await submit(slow({ steps: 1_000 })), await submit(slow({ steps: 1_000 }))];
      const many = Array.from({ length: 20 }, (_, index) =>
        client(index % 2 === 0 ? {} : { transports: ['polling'] }),
      );
      await Promise.all(many.map((watcher, index) => watcher.subscribe(index < 10 ? running : queued)));
      const gone = many.map(({ socket }) => heard(socket, 'disconnect'));
      const started = performance.now();
      await gateway.app.close();
      expect(performance.now() - started).toBeLessThan(3_000);
      await Promise.all([...gone, ...many.map(({ ended }) => ended)]);
      for (const watcher of many) {
        expect(watcher.told.slice(-2)).toMatchObject([
          { event: 'error', payload: { code: 'shutting_down' } },
          { event: 'status', payload: { status: 'failed' } },
        ]);
      }
    });

    it('waits for no client that does not answer', async () => {
      await open();
      const raw = new WebSocket(`${gateway.url}/socket.io/?EIO=4&transport=websocket`);
      await once(raw, 'message');
      raw.send('40/progress,');
      await once(raw, 'message');
      raw.pause();
      const started = performance.now();
      await gateway.app.close();
      expect(performance.now() - started).toBeLessThan(4_000);
      raw.terminate();
    });
  });

  describe('to web pages', () => {
    const connects = async (origin: string, transport: 'websocket' | 'polling') => {
      const made = client({
        transports: [transport],
        extraHeaders: { origin },
        reconnection: false,
        timeout: 5_000,
      });
      return Promise.race([
        heard(made.socket, 'connect').then(() => true),
        heard(made.socket, 'connect_error').then(() => false),
      ]);
    };
    const preflight = (origin: string) =>
      fetch(`${gateway.url}/api/generate`, {
        method: 'OPTIONS',
        headers: {
          origin,
          'access-control-request-method': 'POST',
          'access-control-request-headers': 'content-type,prefer',
        },
      });

    it.each(['websocket', 'polling'] as const)('lets only its own in by default (%s)', async (transport) => {
      await open();
      expect(await connects(gateway.url, transport)).toBe(true);
      expect(await connects('https://evil.example.com', transport)).toBe(false);
      expect(await connects('null', transport)).toBe(false);
    });

    it('lets those of CORS_ORIGINS in, over HTTP and Socket.IO', async () => {
      const studio = 'https://studio.example.com';
      await open({ env: { CORS_ORIGINS: `${studio},https://other.example.com` } });
      for (const transport of ['websocket', 'polling'] as const) {
        expect(await connects(studio, transport)).toBe(true);
        expect(await connects('https://evil.example.com', transport)).toBe(false);
      }
      const handshake = await fetch(`${gateway.url}/socket.io/?EIO=4&transport=polling`, {
        headers: { origin: studio },
      });
      expect(handshake.headers.get('access-control-allow-origin')).toBe(studio);
      const asked = await preflight(studio);
      expect(asked.status).toBe(204);
      expect(asked.headers.get('access-control-allow-origin')).toBe(studio);
      expect(asked.headers.get('access-control-allow-headers')).toBe('content-type,prefer');
      const refused = await preflight('https://evil.example.com');
      expect(refused.headers.get('access-control-allow-origin')).toBeNull();
    });

    it('lets all in where it is told so, also to read errors', async () => {
      await open({ env: { CORS_ORIGINS: '*' } });
      expect(await connects('null', 'websocket')).toBe(true);
      const answer = await gateway.post('/api/generate', '{', { headers: { origin: 'null' } });
      expect(answer.status).toBe(400);
      expect(answer.headers.get('access-control-allow-origin')).toBe('*');
      const exposed = answer.headers.get('access-control-expose-headers') ?? '';
      expect(exposed.split(',')).toEqual(expect.arrayContaining(['Location', 'Retry-After', 'Job-Id']));
    });

    it('sends no CORS header where none is set', async () => {
      await open();
      const answer = await gateway.fetch('/health/live', {
        headers: { origin: 'https://studio.example.com' },
      });
      expect([...answer.headers.keys()].filter((name) => name.startsWith('access-control'))).toEqual([]);
    });
  });
});
