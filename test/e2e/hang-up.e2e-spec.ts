import { once } from 'node:events';
import { mkdirSync, readdirSync, readlinkSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { type ClientRequest, type IncomingMessage, request } from 'node:http';
import { connect } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { firstValueFrom, lastValueFrom, of } from 'rxjs';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { ComfyService } from '../../src/comfy/index.js';
import { GenerateService } from '../../src/generate/generate.service.js';
import { Storage } from '../../src/storage/index.js';
import { ComfyStandin } from '../comfyui/index.js';
import { Gateway, type GatewayOptions, type Reply } from './support/gateway.js';
import { big, picture, salt, slow } from './support/workflows.js';

const SOON = { interval: 5, timeout: 8_000 };

/** A caller on a connection of its own, who can hang up at any moment. */
class Caller {
  readonly closed: Promise<void>;
  readonly response: Promise<IncomingMessage>;
  private readonly outgoing: ClientRequest;

  constructor(gateway: Gateway, path: string, body: unknown) {
    const text = JSON.stringify(body);
    this.outgoing = request(`${gateway.url}${path}`, {
      method: 'POST',
      agent: false,
      headers: { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) },
    });
    this.response = new Promise((resolve, reject) => {
      this.outgoing.once('response', resolve);
      this.outgoing.once('error', reject);
    });
    this.response.catch(() => undefined);
    this.closed = new Promise((resolve) => this.outgoing.once('close', () => resolve()));
    this.outgoing.end(text);
  }

  /** `reset`: as a program that crashes; `close`: as one that ends. */
  hangUp(how: 'close' | 'reset' = 'close'): void {
    if (how === 'reset') this.outgoing.socket?.resetAndDestroy();
    this.outgoing.destroy();
  }
}

describe.each([
  { generation: '0.3.64', legacy: false },
  { generation: '0.3.11', legacy: true },
])('a caller who hangs up, ComfyUI $generation', ({ legacy }) => {
  let comfy: ComfyStandin;
  let gateway: Gateway;
  let service: ComfyService;
  const callers: Caller[] = [];
  const trouble: unknown[] = [];
  const note = (error: unknown) => trouble.push(error);

  beforeAll(() => {
    process.on('unhandledRejection', note);
    process.on('uncaughtException', note);
  });
  afterAll(() => {
    process.off('unhandledRejection', note);
    process.off('uncaughtException', note);
  });
  beforeEach(async () => {
    comfy = await ComfyStandin.start({ legacy });
  });
  afterEach(async () => {
    for (const caller of callers.splice(0)) caller.hangUp();
    await gateway.stop();
    await comfy.stop();
    if (trouble.length > 0) throw new AggregateError(trouble.splice(0), 'a promise was left alone');
  });

  async function open(options: GatewayOptions = {}): Promise<void> {
    gateway = await Gateway.start(comfy.url, options);
    service = gateway.app.get(ComfyService);
    await expect.poll(() => comfy.sockets.count, SOON).toBe(1);
  }

  function call(workflow: unknown, path = '/api/generate'): Caller {
    const caller = new Caller(gateway, path, { workflow_data: workflow, output_node_id: 277 });
    callers.push(caller);
    return caller;
  }
  const routes = (route: string) => comfy.requests.filter((entry) => entry.route === route);
  const submissions = () =>
    routes('POST /prompt').map(({ body }) => (body as { prompt_id: string }).prompt_id);
  async function inComfyui(running: number, pending: number): Promise<void> {
    await expect
      .poll(() => [comfy.queue.running.length, comfy.queue.pending.length], SOON)
      .toEqual([running, pending]);
  }
  const temporary = () => readdir(join(gateway.folder, '.tmp'));
  /** Finished files that somebody reads. */
  const openFiles = () =>
    readdirSync('/proc/self/fd').filter((fd) => {
      try {
        const path = readlinkSync(`/proc/self/fd/${fd}`);
        return path.startsWith(`${gateway.folder}/`) && !path.includes('/.tmp');
      } catch {
        return false;
      }
    });

  /** All is as before: the slot is free, nothing lies about, and the next caller is served. */
  async function expectRecovered(filesKept: number | 'any' = 0): Promise<void> {
    await expect.poll(() => comfy.queue, SOON).toEqual({ running: [], pending: [] });
    await expect.poll(() => service.backends.map(({ busySlots }) => busySlots), SOON).toEqual([0]);
    await expect.poll(temporary, SOON).toEqual([]);
    expect(service.waiting).toBe(0);
    if (filesKept !== 'any') expect(await gateway.files()).toHaveLength(filesKept);
    const next = await gateway.generate({ workflow_data: picture(), output_node_id: 277 });
    expect((await gateway.fetch(next.url)).status).toBe(200);
    await expect.poll(temporary, SOON).toEqual([]);
  }

  it.each(['close', 'reset'] as const)('while waiting in our line (%s)', async (how) => {
    await open({ env: { COMFYUI_SLOTS: '1' } });
    // Long enough that it still runs when the other one has hung up, also on a busy machine.
    const running = gateway.generate({ workflow_data: slow({ steps: 75 }), output_node_id: 277 });
    await inComfyui(1, 0);
    const caller = call(picture());
    await expect.poll(() => service.waiting, SOON).toBe(1);
    caller.hangUp(how);
    await expect.poll(() => service.waiting, SOON).toBe(0);
    // The others never notice, and ComfyUI never hears of it.
    expect((await running).outputs).toHaveLength(1);
    expect(submissions()).toHaveLength(1);
    expect(comfy.executed.map(({ outcome }) => outcome)).toEqual(['success']);
    await expectRecovered(1);
  });

  it('in the middle of our line: those behind move up', async () => {
    await open({ env: { COMFYUI_SLOTS: '1' } });
    const first = gateway.generate({ workflow_data: slow({ steps: 15 }), output_node_id: 277 });
    await inComfyui(1, 0);
    const line = [];
    for (let place = 1; place <= 5; place += 1) {
      line.push(call(picture({ color: place })));
      await expect.poll(() => service.waiting, SOON).toBe(place);
    }
    line[1]?.hangUp();
    line[3]?.hangUp('reset');
    await expect.poll(() => service.waiting, SOON).toBe(3);
    await first;
    for (const place of [0, 2, 4]) expect((await line[place]?.response)?.statusCode).toBe(200);
    const colors = comfy.executed.slice(1).map(({ workflow }) => workflow['1']?.inputs['color']);
    expect(colors).toEqual([1, 3, 5]);
    for (const place of [0, 2, 4]) (await line[place]?.response)?.resume();
    await expectRecovered(4);
  });

  it.each(['close', 'reset'] as const)('while pending in ComfyUI: that one is deleted (%s)', async (how) => {
    await open();
    const running = gateway.generate({ workflow_data: slow({ steps: 20 }), output_node_id: 277 });
    await inComfyui(1, 0);
    const caller = call(picture());
    await inComfyui(1, 1);
    const [pending] = comfy.queue.pending;
    caller.hangUp(how);
    await inComfyui(1, 0);
    expect(routes('POST /queue').map(({ body }) => body)).toEqual([{ delete: [pending] }]);
    expect((await running).outputs).toHaveLength(1);
    expect(routes('POST /interrupt')).toEqual([]);
    expect(comfy.executed).toHaveLength(1);
    await expectRecovered(1);
  });

  it.each(['close', 'reset'] as const)('while running: that one is interrupted (%s)', async (how) => {
    await open();
    const caller = call(slow({ steps: 500 }));
    await inComfyui(1, 0);
    const [running] = comfy.queue.running;
    const next = gateway.generate({ workflow_data: slow({ steps: 3 }), output_node_id: 277 });
    await inComfyui(1, 1);
    caller.hangUp(how);
    expect((await next).outputs).toHaveLength(1);
    expect(comfy.executed.map(({ promptId, outcome }) => [promptId === running, outcome])).toEqual([
      [true, 'interrupted'],
      [false, 'success'],
    ]);
    expect(routes('POST /interrupt').map(({ body }) => body)).toEqual([{ prompt_id: running }]);
    await expectRecovered(1);
  });

  it('by an AbortController', async () => {
    await open();
    const controller = new AbortController();
    const body = { workflow_data: slow({ steps: 500 }), output_node_id: 277 };
    const answer = gateway.post('/api/generate_file', body, { signal: controller.signal });
    await inComfyui(1, 0);
    controller.abort();
    await expect(answer).rejects.toThrow('aborted');
    await expect.poll(() => comfy.executed.map(({ outcome }) => outcome), SOON).toEqual(['interrupted']);
    await expectRecovered();
  });

  it('while somebody else’s prompt runs: theirs goes on', async () => {
    await open();
    const theirs = { prompt: slow({ steps: 25 }), client_id: 'somebody-else' };
    await fetch(`${comfy.url}/prompt`, { method: 'POST', body: JSON.stringify(theirs) });
    await inComfyui(1, 0);
    const caller = call(slow({ steps: 500 }));
    await inComfyui(1, 1);
    caller.hangUp();
    await inComfyui(1, 0);
    await inComfyui(0, 0);
    expect(comfy.executed.map(({ clientId, outcome }) => [clientId, outcome])).toEqual([
      ['somebody-else', 'success'],
    ]);
    expect(routes('POST /interrupt')).toEqual([]);
    await expectRecovered();
  });

  it('before ComfyUI has answered POST /prompt', async () => {
    await open();
    comfy.faults.delay('POST /prompt', 200);
    const caller = call(slow({ steps: 500 }));
    await expect.poll(() => submissions().length, SOON).toBe(1);
    caller.hangUp();
    await expect.poll(() => service.find(submissions()[0] ?? '')?.status, SOON).toBe('cancelled');
    comfy.faults.clear();
    await expect.poll(() => comfy.executed.map(({ outcome }) => outcome), SOON).toEqual(['interrupted']);
    await expectRecovered();
  });

  it('while the connection to ComfyUI is broken', async () => {
    await open();
    const caller = call(slow({ steps: 500 }));
    await inComfyui(1, 0);
    comfy.faults.loseEvents('progress');
    comfy.faults.dropSockets();
    caller.hangUp();
    await expect.poll(() => comfy.executed.map(({ outcome }) => outcome), SOON).toEqual(['interrupted']);
    await expect.poll(() => comfy.sockets.count, SOON).toBe(1);
    await expectRecovered();
  });

  it.each(['close', 'reset'] as const)('while the file is fetched from ComfyUI (%s)', async (how) => {
    await open();
    comfy.faults.slowView(2_000_000);
    const caller = call(big(8_000_000));
    // Half a file; a whole one has a second name there until it is flushed.
    await expect.poll(temporary, SOON).toHaveLength(1);
    caller.hangUp(how);
    await expect.poll(() => service.find(submissions()[0] ?? '')?.status, SOON).toBe('cancelled');
    comfy.faults.clear();
    await expectRecovered();
    // It had run to its end: nothing was to be stopped.
    expect(routes('POST /interrupt')).toEqual([]);
  });

  it('while ComfyUI does not answer for the file', async () => {
    await open();
    comfy.faults.hangNext('GET /view');
    const caller = call(picture());
    await expect.poll(() => routes('GET /view').length, SOON).toBe(1);
    caller.hangUp();
    await expect.poll(() => service.find(submissions()[0] ?? '')?.status, SOON).toBe('cancelled');
    await expectRecovered();
  });

  // No reply will ever name what was stored before the job was cancelled.
  it('in the moment in which its one file is stored: it goes again', async () => {
    await open();
    const storing = holdAfterPut();
    const caller = call(picture());
    await storing.reached;
    caller.hangUp();
    await expect.poll(() => service.find(submissions()[0] ?? '')?.status, SOON).toBe('cancelled');
    storing.goOn();
    await expectRecovered();
  });

  it('between the files of a batch: those that are stored already go again', async () => {
    await open();
    comfy.faults.slowView(Infinity, 1);
    comfy.faults.slowView(100);
    const caller = call(picture({ batch: 3 }));
    await expect.poll(() => gateway.files(), SOON).toHaveLength(1);
    caller.hangUp();
    await expect.poll(() => service.find(submissions()[0] ?? '')?.status, SOON).toBe('cancelled');
    comfy.faults.clear();
    await expectRecovered();
  });

  it.each(['close', 'reset'] as const)('while the bytes are sent (%s)', async (how) => {
    await open();
    const caller = call(big(64 * 1024 * 1024), '/api/generate_file');
    const response = await caller.response;
    expect(response.statusCode).toBe(200);
    await new Promise((resolve) => response.once('data', resolve));
    response.on('error', () => undefined);
    response.pause();
    expect(openFiles()).toHaveLength(1);
    caller.hangUp(how);
    await expect.poll(openFiles, SOON).toEqual([]);
    // The job was done: its file stays, and can be asked for.
    const [id] = submissions();
    expect(service.find(id ?? '')?.status).toBe('succeeded');
    expect((await gateway.fetch(`/api/generate/${id}`)).status).toBe(200);
    await expectRecovered(1);
  });

  it('does not cancel what somebody else watches', async () => {
    await open();
    const caller = call(slow({ steps: 20 }));
    await inComfyui(1, 0);
    const [id = ''] = submissions();
    const end = lastValueFrom(service.watch(id));
    caller.hangUp();
    await caller.closed;
    expect((await end).state.status).toBe('succeeded');
    const result = await gateway.fetch(`/api/generate/${id}`);
    const reply = JSON.parse(result.bytes.toString()) as Reply;
    expect((await gateway.fetch(reply.url)).status).toBe(200);
    expect(comfy.executed.map(({ outcome }) => outcome)).toEqual(['success']);
    await expectRecovered(1);
  });

  it('cancels what nobody else watches any more', async () => {
    await open();
    const caller = call(slow({ steps: 500 }));
    await inComfyui(1, 0);
    // Had a look, and left.
    await firstValueFrom(service.watch(submissions()[0] ?? ''));
    caller.hangUp();
    await expect.poll(() => comfy.executed.map(({ outcome }) => outcome), SOON).toEqual(['interrupted']);
    await expectRecovered();
  });

  it('thirty of them, at any moment', async () => {
    await open();
    let state = 20_261_123;
    const random = () => (state = (state * 1_103_515_245 + 12_345) % 2 ** 31) / 2 ** 31;
    const many = Array.from({ length: 30 }, (_, index) => {
      const caller = call(
        slow({ steps: 5, delayMs: 5 }),
        index % 2 === 0 ? '/api/generate' : '/api/generate_file',
      );
      setTimeout(() => caller.hangUp(index % 3 === 0 ? 'reset' : 'close'), random() * 600);
      return caller;
    });
    const color = salt();
    const patient = gateway.generate({ workflow_data: picture({ color }), output_node_id: 277 });
    expect((await patient).outputs).toHaveLength(1);
    await Promise.all(many.map(({ closed }) => closed));
    await expect.poll(() => service.backends[0]?.busySlots, SOON).toBe(0);
    await expectRecovered('any');
    expect(submissions().every((id) => service.find(id)?.times.finished !== undefined)).toBe(true);
  });

  describe('whatever the generation', () => {
    it('while its body is unpacked: it never becomes a job', async () => {
      await open();
      const text = 'x'.repeat(20_000_000);
      const workflow = { ...slow(), '9': { class_type: 'ProbeShowText', inputs: { text } } };
      const body = await promisify(gzip)(JSON.stringify({ workflow_data: workflow, output_node_id: 277 }));
      const { hostname, port } = new URL(gateway.url);
      const socket = connect(Number(port), hostname);
      socket.on('error', () => undefined);
      socket.write(
        `POST /api/generate HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Encoding: gzip\r\nContent-Length: ${body.length}\r\n\r\n`,
      );
      const server = gateway.app.getHttpServer();
      const arrived = once(server, 'request');
      socket.write(body);
      await arrived;
      socket.destroy();
      await expect.poll(() => promisify(server.getConnections.bind(server))(), SOON).toBe(0);
      await expectRecovered();
      expect(submissions()).toHaveLength(1);
    });

    it('before the job is made', async () => {
      await open();
      const service = gateway.app.get(GenerateService);
      const body = { workflow_data: slow({ steps: 500 }), output_node_id: 277 };
      const { job } = await service.submit(body, '', { key: undefined, scope: '' });
      const preferences = { respondAsync: false, waitS: undefined };
      const wait = service.wait(
        job.id,
        { as: 'url', index: undefined },
        { preferences, hangUp: of(undefined), abandons: true },
      );
      await expect(wait).rejects.toMatchObject({ code: 'cancelled' });
      await expectRecovered();
    });

    // Such a connection must not stay open until KEEP_ALIVE_MS is over, and the process with it.
    it('does not, and the server stops: it is gone as soon as the last byte is sent', async () => {
      await open();
      const answer = await gateway.post('/api/generate_file', {
        workflow_data: big(32 * 1024 * 1024),
        output_node_id: 277,
      });
      const closing = gateway.app.close().then(() => 'closed' as const);
      expect((await answer.arrayBuffer()).byteLength).toBe(32 * 1024 * 1024);
      const tooLong = new Promise<'still open'>((resolve) => setTimeout(() => resolve('still open'), 3_000));
      const first = await Promise.race([closing, tooLong]);
      gateway.app.getHttpServer().closeAllConnections();
      await closing;
      // `afterEach` stops it again.
      mkdirSync(gateway.folder, { recursive: true });
      expect(first).toBe('closed');
    });
  });

  /** Holds the first file back between its last byte on the disk and the end of `put`. */
  function holdAfterPut(): { reached: Promise<void>; goOn: () => void } {
    const storage = gateway.app.get(Storage);
    const put = storage.put.bind(storage);
    let goOn = (): void => undefined;
    const gate = new Promise<void>((resolve) => (goOn = resolve));
    const reached = new Promise<void>((resolve) => {
      vi.spyOn(storage, 'put').mockImplementationOnce(async (file) => {
        const stored = await put(file);
        resolve();
        await gate;
        return stored;
      });
    });
    return { reached, goOn };
  }
});
