import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import type { StandinOptions } from '../comfyui/index.js';
import { Fleet, SOON } from './support/backends.js';
import { type GatewayOptions, readProblem } from './support/gateway.js';
import { failing, picture, slow, textToImage } from './support/workflows.js';

let fleet: Fleet;
const start = async (standins: StandinOptions[] = [{}, {}], options: GatewayOptions = {}) =>
  (fleet = await Fleet.start(standins, options));
afterEach(() => fleet.stop());

interface BackendReply {
  name: string;
  state: string;
  circuit: string;
  rests_until: string | null;
  draining: boolean;
  usable: boolean;
  busy_slots: number;
  jobs: { job_id: string; given_at: string; begun_at: string | null }[];
  models: { name: string; used_at: string }[];
  succeeded: number;
  failed: number;
  last_error: { message: string; at: string } | null;
}

async function list(): Promise<BackendReply[]> {
  const { status, bytes } = await fleet.gateway.fetch('/api/backends');
  expect(status).toBe(200);
  return (JSON.parse(bytes.toString()) as { backends: BackendReply[] }).backends;
}

const one = async (index = 0) => (await list())[index] ?? expect.fail(`there is no backend ${index}`);
const say = (name: string, what: 'drain' | 'undrain') =>
  fleet.gateway.fetch(`/api/backends/${encodeURIComponent(name)}/${what}`, { method: 'POST' });

describe('GET /api/backends', () => {
  it('tells what each has, has done, and has loaded', async () => {
    await start([{ basePath: '/comfy' }]);
    const name = (await one()).name;
    expect(await one()).toMatchObject({
      state: 'ready',
      circuit: 'closed',
      draining: false,
      usable: true,
      jobs: [],
      models: [],
      succeeded: 0,
      failed: 0,
      last_error: null,
    });
    await fleet.gateway.generate({ workflow_data: textToImage('a red fox', 1, 1), output_node_id: 9 });
    const calls = [fleet.generate(slow({ steps: 30 })), fleet.generate(slow({ steps: 1 }))];
    await expect
      .poll(async () => (await one()).jobs.map(({ begun_at }) => begun_at !== null), SOON)
      .toEqual([true, false]);
    await Promise.all(calls);
    await expect.poll(one, SOON).toMatchObject({ name, succeeded: 3, failed: 0, jobs: [], busy_slots: 0 });
    expect((await one()).models.map((model) => model.name)).toEqual(['random-sd15.safetensors']);
  });

  it('needs the token where there is one', async () => {
    await start([{}], { env: { ADMIN_TOKEN: 'open sesame' } });
    const { url } = fleet.gateway;
    for (const authorization of [
      undefined,
      'Bearer',
      'Bearer open',
      'Basic b3BlbiBzZXNhbWU=',
      'open sesame',
    ]) {
      const response = await fetch(`${url}/api/backends`, {
        headers: authorization === undefined ? {} : { authorization },
      });
      expect(response.headers.get('www-authenticate')).toMatch(/^Bearer/);
      expect(await readProblem(response)).toMatchObject({ status: 401, code: 'unauthorized' });
      const drain = await fetch(`${url}/api/backends/x/drain`, { method: 'POST' });
      expect(drain.status).toBe(401);
    }
    const headers = { authorization: 'Bearer open sesame' };
    expect((await fetch(`${url}/api/backends`, { headers })).status).toBe(200);
  });
});

describe('drain', () => {
  it('lets a backend finish what it has and gives it no more, until undrain', async () => {
    await start();
    const call = fleet.generate(slow({ steps: 20 }));
    const [busy, [other]] = await fleet.busy();
    const { status, bytes } = await say(busy.address, 'drain');
    expect([status, JSON.parse(bytes.toString())]).toMatchObject([200, { draining: true, usable: false }]);
    await Promise.all([call, ...Array.from({ length: 5 }, () => fleet.generate(picture()))]);
    expect(busy.executed).toHaveLength(1);
    expect(other?.executed).toHaveLength(5);
    await say(other?.address ?? '', 'drain');
    expect((await fleet.gateway.fetch('/health/ready')).status).toBe(503);
    // Waiting for somebody who is allowed again.
    const waiting = fleet.generate(picture());
    await expect.poll(() => fleet.service.waiting, SOON).toBe(1);
    await say(busy.address, 'undrain');
    await waiting;
    expect(busy.executed).toHaveLength(2);
  });

  it('answers 404 for a name that nobody has', async () => {
    await start([{}]);
    expect((await say('gpu:1', 'drain')).status).toBe(404);
    expect((await say('../..', 'undrain')).status).toBe(404);
  });
});

describe('the circuit', () => {
  it('opens for a backend that takes nothing, tries it with one job, and closes', async () => {
    // Both free, so that each call comes here first once the other is busy.
    await start([{}], {
      comfy: {
        circuit: { faultsToCheck: 3, minRestMs: 400, maxRestMs: 800, checkPauseMs: 10, probeBytes: 65_536 },
      },
    });
    // Three jobs, and then our own health check.
    fleet.at(0).faults.failNext('POST /prompt', 503, '', 1_000);
    const calls = Array.from({ length: 3 }, () => fleet.generate(slow({ steps: 5 })));
    await expect.poll(async () => (await one()).circuit, SOON).toBe('open');
    fleet.at(0).faults.clear();
    expect(await one()).toMatchObject({
      usable: false,
      rests_until: expect.stringMatching(/Z$/) as string,
      last_error: { message: expect.stringContaining('did not take') as string },
    });
    expect((await fleet.gateway.fetch('/health/ready')).status).toBe(503);
    await expect.poll(async () => (await one()).circuit, SOON).toBe('half_open');
    await expect.poll(() => fleet.at(0).queue.running.length, SOON).toBe(1);
    expect((await one()).busy_slots).toBe(1);
    await Promise.all(calls);
    expect(await one()).toMatchObject({ circuit: 'closed', usable: true });
  });

  it('closes after a trial whose job failed by its own doing, too', async () => {
    await start([{}]);
    fleet.at(0).faults.failNext('GET /queue', 500, '', 3);
    fleet.at(0).faults.dropSockets();
    await expect.poll(async () => (await one()).circuit, SOON).toBe('half_open');
    expect(await fleet.problem(failing('ValueError'))).toMatchObject({ code: 'node_execution_error' });
    expect((await one()).circuit).toBe('closed');
  });

  it('rests on while an examination fails', async () => {
    await start([{}]);
    const [backend] = fleet.backends;
    backend?.faults.failNext('GET /queue', 500, '', 3);
    backend?.faults.dropSockets();
    await expect.poll(one, SOON).toMatchObject({ state: 'checking', circuit: 'open' });
    await expect.poll(one, SOON).toMatchObject({ state: 'ready', circuit: 'half_open' });
    await fleet.expectRecovered();
  });
});

describe('the warm-up', () => {
  const withWarmUp = async <T>(workflow: unknown, play: (env: Record<string, string>) => Promise<T>) => {
    const folder = await mkdtemp(join(tmpdir(), 'warm-up-'));
    const path = join(folder, 'warm-up.json');
    await writeFile(path, JSON.stringify(workflow));
    try {
      return await play({ COMFYUI_WARMUP: path });
    } finally {
      await rm(folder, { recursive: true });
    }
  };

  it('is run before any job, and again after a restart', async () => {
    await withWarmUp(textToImage('warm', 1, 1), async (env) => {
      await start([{ modelLoadMs: 50 }], { env });
      const [backend = expect.fail()] = fleet.backends;
      expect(backend.executed).toHaveLength(1);
      await backend.restart();
      await expect.poll(() => backend.executed.length, SOON).toBe(2);
      await fleet.generate(picture());
      expect(backend.executed).toHaveLength(3);
      expect(await fleet.gateway.files()).toHaveLength(1);
    });
  });

  it('that fails keeps jobs away, and says why', async () => {
    await withWarmUp({ '1': { class_type: 'NoSuchNode', inputs: {} } }, async (env) => {
      fleet = await Fleet.open([{}], { env });
      await expect.poll(one, SOON).toMatchObject({
        usable: false,
        last_error: { message: expect.stringContaining('warm-up') as string },
      });
      expect(await fleet.problem(picture())).toMatchObject({ status: 503, code: 'no_backend' });
    });
  });
});

describe('who goes where', () => {
  const checkpoints = ['a.safetensors', 'b.safetensors'];
  const paint = (model: string, seed: number) => {
    const workflow = textToImage(`picture ${seed}`, seed, 1);
    return { ...workflow, '4': { class_type: 'CheckpointLoaderSimple', inputs: { ckpt_name: model } } };
  };

  it('jobs go to where their models are', async () => {
    await start([{ checkpoints }, { checkpoints }], { env: { COMFYUI_SLOTS: '1' } });
    const modelsOf = (index: number) =>
      fleet.at(index).executed.map(({ workflow }) => workflow['4']?.inputs['ckpt_name']);
    for (let round = 0; round < 6; round += 1) {
      await Promise.all(
        checkpoints.map((model, index) =>
          fleet.gateway.generate({ workflow_data: paint(model, round * 2 + index), output_node_id: 9 }),
        ),
      );
    }
    expect(new Set(modelsOf(0)).size).toBe(1);
    expect(new Set(modelsOf(1)).size).toBe(1);
  });

  it('a higher priority goes first, and callers take turns', async () => {
    await start([{}], { env: { COMFYUI_SLOTS: '1' } });
    const blocker = fleet.generate(slow({ steps: 40 }));
    await fleet.busy();
    const order: string[] = [];
    const calls: Promise<void>[] = [];
    const line: [caller: string, priority: number][] = [
      ['a', 0],
      ['a', 0],
      ['a', 0],
      ['b', 0],
      ['c', 50],
      ['b', -50],
    ];
    for (const [index, [caller, priority]] of line.entries()) {
      const body = { workflow_data: picture(), output_node_id: 277, priority };
      const headers = { 'caller-id': caller };
      calls.push(
        fleet.gateway.post('/api/generate', body, { headers }).then(({ status }) => {
          order.push(status === 200 ? `${caller}${index}` : `${status}`);
          return undefined;
        }),
      );
      await expect.poll(() => fleet.service.waiting, SOON).toBe(index + 1);
    }
    await Promise.all([blocker, ...calls]);
    expect(order).toEqual(['c4', 'a0', 'b3', 'a1', 'a2', 'b5']);
  });

  it.each([101, -101, 1.5, 'high'])('refuses the priority %s', async (priority) => {
    await start([{}]);
    const body = { workflow_data: picture(), priority };
    const problem = await fleet.gateway.problem('/api/generate', body);
    expect(problem.status).toBe(400);
    expect(new Set(problem.errors?.map(({ field }) => field))).toEqual(new Set(['priority']));
  });
});
