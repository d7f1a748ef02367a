import sharp from 'sharp';
import { afterEach, describe, expect, it } from 'vitest';
import { ComfyService } from '../../src/comfy/index.js';
import { ComfyStandin, type Graph, type StandinOptions } from '../comfyui/index.js';
import { Gateway, type GatewayOptions } from './support/gateway.js';
import { watchAll } from './support/recorded.js';
import { picture, slow } from './support/workflows.js';

const SOON = { interval: 5, timeout: 10_000 };

let backends: ComfyStandin[] = [];
let gateway: Gateway | undefined;

afterEach(async () => {
  await gateway?.stop();
  await Promise.all(backends.map((backend) => backend.stop()));
  gateway = undefined;
  backends = [];
});

async function startBackends(options: StandinOptions[]): Promise<ComfyStandin[]> {
  backends = await Promise.all(options.map((option) => ComfyStandin.start(option)));
  return backends;
}

/** A gateway in front of these addresses, with `connected` of them in use. */
async function open(addresses: string[], connected: number, options: GatewayOptions = {}): Promise<Gateway> {
  gateway = await Gateway.start(addresses.join(','), options);
  const service = gateway.app.get(ComfyService);
  await expect.poll(() => service.backends.filter((backend) => backend.usable).length, SOON).toBe(connected);
  return gateway;
}

/** Sends a picture of this colour through, and tells which colour came back. */
async function paint(through: Gateway, color: number): Promise<number> {
  const response = await through.post('/api/generate_file', {
    workflow_data: { ...picture({ color, width: 8, height: 8 }) },
    output_node_id: 277,
  });
  const bytes = Buffer.from(await response.arrayBuffer());
  if (response.status !== 200) throw new Error(bytes.toString());
  return (await sharp(bytes).removeAlpha().raw().toBuffer()).readUIntBE(0, 3);
}

const colorOf = (workflow: Graph) => workflow['1']?.inputs['color'] as number;
/** Colours that the backend has painted, in order. */
const colorsOn = (backend: ComfyStandin) =>
  backend.executed.filter(({ outcome }) => outcome === 'success').map(({ workflow }) => colorOf(workflow));

/** The most pictures that the backend ever had at once, by when each came and when each had ended. */
function mostAtOnce(backend: ComfyStandin): number {
  const done = backend.executed.filter(({ outcome }) => outcome === 'success');
  const ends = new Map(done.map(({ workflow, endedAt }) => [colorOf(workflow), endedAt]));
  const changes = backend.requests
    .filter(({ route }) => route === 'POST /prompt')
    .flatMap(({ at, body }) => {
      const end = ends.get(colorOf((body as { prompt: Graph }).prompt));
      if (end === undefined) return [];
      return [
        { at, by: 1 },
        { at: end, by: -1 },
      ];
    })
    // What ends in the same millisecond makes room first.
    .sort((a, b) => a.at - b.at || a.by - b.by);
  let held = 0;
  return Math.max(...changes.map(({ by }) => (held += by)));
}

/** Every slot is taken while the calls come, so that they are all in line before the first is served. */
async function paintAllAtOnce(through: Gateway, colors: readonly number[]): Promise<number[]> {
  const service = through.app.get(ComfyService);
  const free = service.backends.filter(({ usable }) => usable).reduce((sum, { slots }) => sum + slots, 0);
  const blockers = await Promise.all(
    Array.from({ length: free }, () => service.submit({ workflow: slow({ steps: 1_000 }) })),
  );
  await expect
    .poll(() => backends.reduce((sum, { queue }) => sum + queue.running.length, 0), SOON)
    .toBeGreaterThan(0);
  const calls = colors.map((color) => paint(through, color));
  await expect.poll(() => service.waiting, SOON).toBe(colors.length);
  for (const { id } of blockers) service.cancel(id);
  return Promise.all(calls);
}

/** Looks at the queues all the time, until told to stop. */
function watchQueues(of: readonly ComfyStandin[]): () => number[] {
  const most = of.map(() => 0);
  const timer = setInterval(() => {
    for (const [index, { queue }] of of.entries()) {
      most[index] = Math.max(most[index] ?? 0, queue.running.length + queue.pending.length);
    }
  }, 1);
  return () => {
    clearInterval(timer);
    return most;
  };
}

const COLORS = Array.from({ length: 200 }, (_, index) => 0x10_20_30 + index * 0x01_03_07);
const NODE_DELAY_MS = 5;
const TEN = Array.from({ length: 10 }, (_, index): StandinOptions => ({
  legacy: index % 2 === 1,
  nodeDelayMs: 3,
}));

describe('ten backends', () => {
  it.each([1, 2, 3])(
    'two hundred calls in flight, each with its own picture; %i slots each',
    async (slots) => {
      await startBackends(TEN);
      const through = await open(
        backends.map(({ address }) => address),
        10,
        { env: { COMFYUI_SLOTS: String(slots) } },
      );
      const stop = watchQueues(backends);
      const painted = await paintAllAtOnce(through, COLORS);
      const most = stop();
      expect(painted).toEqual(COLORS);
      // Every call ran once, somewhere, and everybody had a fair part of the work.
      expect(backends.flatMap(colorsOn).sort((a, b) => a - b)).toEqual(COLORS);
      for (const backend of backends) expect(colorsOn(backend).length).toBeGreaterThan(5);
      expect(Math.max(...most)).toBeLessThanOrEqual(slots);
      for (const backend of backends) expect(mostAtOnce(backend)).toBe(slots);
      expect(await through.files()).toHaveLength(200);
    },
  );

  it('of which one comes late and one never', async () => {
    await startBackends(TEN.slice(0, 9));
    const late = backends[4] ?? expect.fail('there are nine');
    await late.faults.refuseConnections();
    // The port of a server that is gone for good.
    const gone = await ComfyStandin.start();
    await gone.stop();
    const addresses = [...backends.map(({ address }) => address), `127.0.0.1:${gone.port}`];
    const through = await open(addresses, 8);
    expect(await paintAllAtOnce(through, COLORS.slice(0, 50))).toEqual(COLORS.slice(0, 50));
    expect(colorsOn(late)).toEqual([]);
    await late.faults.refuseConnections(false);
    const service = through.app.get(ComfyService);
    await expect.poll(() => service.backends[4]?.usable, SOON).toBe(true);
    expect(await paintAllAtOnce(through, COLORS.slice(50))).toEqual(COLORS.slice(50));
    for (const backend of backends) {
      expect(colorsOn(backend).length).toBeGreaterThan(0);
      expect(mostAtOnce(backend)).toBe(2);
    }
    const ready = await through.fetch('/health/ready');
    expect(ready.status).toBe(200);
    expect(JSON.parse(ready.bytes.toString())).toMatchObject({
      info: { backends: { connected: 9, total: 10 } },
    });
  });

  it('of which one goes down in the middle: what was there is painted elsewhere', async () => {
    await startBackends(TEN);
    const through = await open(
      backends.map(({ address }) => address),
      10,
    );
    const victim = backends[0] ?? expect.fail('there are ten');
    const calls = COLORS.map((color) => paint(through, color));
    await expect.poll(() => victim.executed.length, SOON).toBeGreaterThan(1);
    await victim.kill();
    expect(await Promise.all(calls)).toEqual(COLORS);
  });

  it('of which one takes nothing: the others get it', async () => {
    await startBackends([{}, {}]);
    const through = await open(
      backends.map(({ address }) => address),
      2,
    );
    for (const backend of backends) backend.faults.failNext('POST /prompt', 503);
    expect(await paint(through, 0x12_34_56)).toBe(0x12_34_56);
  });
});

describe('one backend', () => {
  it.each([
    { slots: 1, legacy: false },
    { slots: 2, legacy: false },
    { slots: 2, legacy: true },
  ])('first come, first served ($slots slots, legacy: $legacy)', async ({ slots, legacy }) => {
    const [backend = expect.fail()] = await startBackends([{ legacy }]);
    const through = await open([backend.address], 1, { env: { COMFYUI_SLOTS: String(slots) } });
    const service = through.app.get(ComfyService);
    const handedOut: string[] = [];
    const jobs = watchAll(through, ({ event, state }) => {
      if (event?.type === 'started') handedOut.push(state.id);
    });
    const blocker = through.generate({ workflow_data: slow({ steps: 40 }), output_node_id: 277 });
    await expect.poll(() => backend.queue.running.length, SOON).toBe(1);
    const wanted = COLORS.slice(0, 12);
    const calls = [];
    for (const [index, color] of wanted.entries()) {
      calls.push(paint(through, color));
      // The next caller comes when this one stands in line.
      await expect.poll(() => jobs.length, SOON).toBe(index + 2);
      expect(service.waiting + (service.backends[0]?.busySlots ?? 0)).toBe(index + 2);
    }
    expect(await Promise.all(calls)).toEqual(wanted);
    await blocker;
    // The first are handed out before anybody listens.
    expect(handedOut).toEqual(jobs.map(({ id }) => id).slice(-handedOut.length));
    expect(handedOut.length).toBeGreaterThanOrEqual(wanted.length + 1 - slots);
    // Two that are handed out in the same moment go over connections of their own, and may overtake each other there.
    for (const [place, color] of colorsOn(backend).slice(1).entries()) {
      expect(Math.abs(wanted.indexOf(color) - place)).toBeLessThan(slots);
    }
  });
});

describe('behind a proxy', () => {
  const secret = 'aQ-53cret+/=&?';
  const query = { query: 'token', value: secret };
  const header = { header: 'X-Token', value: 'another-s3cret' };

  it('that wants a base path, a header or a token in the query, over HTTP and WebSocket', async () => {
    await startBackends([
      { nodeDelayMs: NODE_DELAY_MS, basePath: '/comfy/a' },
      { nodeDelayMs: NODE_DELAY_MS, token: header },
      { nodeDelayMs: NODE_DELAY_MS, token: query, legacy: true },
      { nodeDelayMs: NODE_DELAY_MS, basePath: '/b', token: query },
      { nodeDelayMs: NODE_DELAY_MS, basePath: '/c', token: header },
    ]);
    const urls = backends.map(({ url }, index) =>
      index === 2 || index === 3 ? `${url}/?${new URLSearchParams({ token: secret }).toString()}` : url,
    );
    const through = await open(urls, 5, {
      env: { COMFYUI_HEADERS: `X-Nobody: cares|X-Token: ${header.value}|A: b|C: d|X-Token: ${header.value}` },
    });
    const colors = COLORS.slice(0, 40);
    expect(await paintAllAtOnce(through, colors)).toEqual(colors);
    for (const backend of backends) {
      expect(colorsOn(backend).length).toBeGreaterThan(0);
      expect(backend.sockets).toMatchObject({ count: 1, deflated: 0 });
    }
    // Every route passes the proxy; running and waiting prompts were cancelled as well.
    for (const backend of backends) {
      await expect.poll(() => backend.history.size, SOON).toBe(0);
      const asked = new Set(backend.requests.map(({ route }) => route));
      for (const route of [
        'GET /ws',
        'POST /prompt',
        'GET /view',
        'POST /history',
        'GET /queue',
        'POST /queue',
        'POST /interrupt',
      ])
        expect(asked).toContain(route);
    }
    const ready = await through.fetch('/health/ready');
    expect(ready.bytes.toString()).not.toMatch(/s3cret|53cret/);
  });

  it('whose token is wrong: not used, and only the kind of the trouble is told', async () => {
    await startBackends([{ token: query }, { basePath: '/right' }]);
    const [guarded, based] = backends;
    const through = await open([`${guarded?.url}/?token=wr0ng`, `http://${based?.address}/wrong`], 0);
    await expect.poll(() => guarded?.requests.length ?? 0, SOON).toBeGreaterThan(0);
    let text = '';
    await expect
      .poll(async () => {
        const response = await through.post('/api/generate', { workflow_data: picture() });
        text = await response.text();
        const { code, detail } = JSON.parse(text) as { code: string; detail: string };
        return [response.status, code, detail];
      }, SOON)
      .toEqual([
        503,
        'no_backend',
        'No ComfyUI can be reached at the moment (access denied (401); not a ComfyUI (status 404)). Try again later.',
      ]);
    expect(text).not.toMatch(/wr0ng|53cret|127\.0\.0\.1|localhost|token/);
    for (const { address } of backends) expect(text).not.toContain(address.split(':')[1]);
    expect(backends.flatMap(({ executed }) => executed)).toEqual([]);
  });
});
