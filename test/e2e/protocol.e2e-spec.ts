import { afterEach, describe, expect, it } from 'vitest';
import { Fleet, SOON } from './support/backends.js';
import { CLIENT_LIMITS, type ClientLimits } from '../../src/comfy/index.js';
import { FAST, type GatewayOptions, type Reply } from './support/gateway.js';
import { picture, salt, slow } from './support/workflows.js';

let fleet: Fleet;

const start = async (...args: Parameters<typeof Fleet.start>) => {
  fleet = await Fleet.start(...args);
};
afterEach(() => fleet.stop());

const textsOf = ({ outputs }: Reply) => outputs.map(({ text }) => text);
const image = () => ({
  class_type: 'EmptyImage',
  inputs: { width: 16, height: 16, batch_size: 1, color: salt() },
});
const save = (from: string) => ({
  class_type: 'SaveImage',
  inputs: { images: [from, 0], filename_prefix: 'e2e' },
});
const blocked = (message: string) => ({
  class_type: 'TestRaise',
  inputs: { image: ['1', 0], exception: 'ExecutionBlocked', message },
});
/** The limits of tests, with others for runs. */
const patient = (run: Partial<ClientLimits['run']>): GatewayOptions => {
  const limits = FAST.limits ?? CLIENT_LIMITS;
  return { comfy: { limits: { ...limits, run: { ...limits.run, ...run } } } };
};
const shown = (value: string) => ({ class_type: 'TestUI', inputs: { value } });

describe.each([
  { name: 'a ComfyUI of 2025', legacy: false },
  { name: 'an old ComfyUI', legacy: true },
])('what Python writes, from $name', ({ legacy }) => {
  it('NaN beside a picture costs the picture nothing, and is told as NaN', async () => {
    await start([{ legacy }]);
    const workflow = { '1': image(), '277': save('1'), '5': shown("{'score': [nan, inf, -inf]}") };
    expect(await fleet.generate(workflow)).toMatchObject({ attempts: 1 });
    const scores = await fleet.generate(workflow, { output_node_id: 5 });
    expect(textsOf(scores)).toEqual(['NaN', 'Infinity', '-Infinity']);
    expect(fleet.submissions).toBe(2);
  });

  it('NaN in the history, where the events went elsewhere', async () => {
    await start([{ legacy }]);
    const workflow = {
      ...slow({ steps: 15 }),
      '5': { class_type: 'TestUI', inputs: { value: "{'score': [nan]}", any: ['2', 0] } },
    };
    const call = fleet.generate(workflow, { output_node_id: 5 });
    const [backend] = await fleet.busy();
    backend.faults.dropSockets();
    const reply = await call;
    expect([textsOf(reply), reply.attempts]).toEqual([['NaN'], 1]);
  });
});

describe('what cannot be read', () => {
  it.each([
    ['a login page', '<html>Sign in</html>'],
    ['a body that is cut off', '{"queue_running": [], "queue_pen'],
    ['another shape', '[]'],
    ['no lists', '{}'],
    ['odd rows', '{"queue_running": [[1, 2, {}], null], "queue_pending": []}'],
  ])('%s in place of the queue loses no job', async (_, body) => {
    await start([{}]);
    const call = fleet.generate(slow({ steps: 20 }));
    const [backend] = await fleet.busy();
    backend.faults.failNext('GET /queue', 200, body, 3);
    backend.faults.dropSockets();
    expect(await call).toMatchObject({ attempts: 1 });
    expect(fleet.submissions).toBe(1);
  });

  it('a frame that is torn has the history asked for what it said', async () => {
    await start([{}]);
    const call = fleet.generate(slow({ steps: 8 }));
    const [backend] = await fleet.busy();
    backend.faults.loseEvents('executed');
    backend.faults.sendGarbage('{"type": "executed", "data": {"node": "277", "output": {"ima');
    backend.faults.sendGarbage(Buffer.from([0, 0, 0, 4, 255, 255, 255, 255, 1]));
    expect(await call).toMatchObject({ attempts: 1 });
  });
});

describe('a node behind an ExecutionBlocker', () => {
  it('does not end the prompt: the other branch is delivered, and a warning', async () => {
    await start([{}]);
    const workflow = { '1': image(), '2': blocked('not today'), '9': save('2'), '277': save('1') };
    expect(await fleet.gateway.generate({ workflow_data: workflow })).toMatchObject({
      attempts: 1,
      outputs: [{ node_id: '277' }],
      warnings: [{ code: 'output_blocked', node_id: '9' }],
    });
  });

  it('is why there is no output', async () => {
    await start([{}]);
    const problem = await fleet.problem({ '1': image(), '2': blocked('not today'), '277': save('2') });
    expect(problem).toMatchObject({ status: 422, code: 'no_output' });
    expect(problem.detail).toContain('not today');
    expect(fleet.submissions).toBe(1);
  });
});

describe('a prompt that somebody deletes from ComfyUI’s queue', () => {
  it('is missed as soon as the queue gets shorter, and is nobody’s fault', async () => {
    // Long silences: only the status event can tell.
    await start([{}], patient({ silenceMs: 60_000 }));
    const first = fleet.generate(slow({ steps: 60 }));
    await fleet.busy();
    const second = fleet.generate(picture());
    const { queue, url } = fleet.at(0);
    await expect.poll(() => fleet.at(0).queue.pending.length, SOON).toBe(1);
    expect(queue.running).toHaveLength(1);
    const body = JSON.stringify({ delete: fleet.at(0).queue.pending });
    await fetch(`${url}/queue`, { method: 'POST', body });
    await expect.poll(() => fleet.submissions, SOON).toBe(3);
    expect(fleet.at(0).queue.running).toHaveLength(1);
    expect(await second).toMatchObject({ attempts: 2 });
    expect(await first).toMatchObject({ attempts: 1 });
    expect(fleet.service.backends[0]?.lastFailure).toBeUndefined();
  });
});

describe('a ComfyUI that is killed while another one is usable', () => {
  it('is given up long before one that is the only one', async () => {
    await start([{}, {}], patient({ lostAfterMs: 600_000, refusedAfterMs: 200 }));
    const call = fleet.generate(slow({ steps: 30 }));
    const [victim, [other]] = await fleet.busy();
    await victim.kill();
    expect(await call).toMatchObject({ attempts: 2 });
    expect(other?.executed).toHaveLength(1);
  });

  /** Kills the backend that has rendered, while its file is fetched. */
  const killWhileFetched = async () => {
    for (const { faults } of fleet.backends) faults.hangNext('GET /view', 1_000);
    const asked = () =>
      fleet.backends.find(({ requests }) => requests.some(({ route }) => route === 'GET /view'));
    await expect.poll(() => asked() !== undefined, SOON).toBe(true);
    const victim = asked() ?? expect.fail('nobody was asked for a file');
    await victim.kill();
    for (const { faults } of fleet.backends) faults.clear();
    return victim;
  };
  const rendered = picture();
  const partner = {
    ...rendered,
    '5': { class_type: 'TestPartner', inputs: { image: ['1', 0], seconds: 0.01 } },
    '277': { ...rendered['277'], inputs: { images: ['5', 0], filename_prefix: 'e2e' } },
  };

  it('is given up as soon where only its file is missing', async () => {
    await start([{}, {}], patient({ lostAfterMs: 600_000, refusedAfterMs: 200 }));
    const call = fleet.generate(picture());
    const victim = await killWhileFetched();
    expect(await call).toMatchObject({ attempts: 2 });
    expect(victim.executed.length).toBeLessThan(2);
  });

  it.each([
    ['there is no other', [{}], picture()],
    ['the job has paid partner nodes', [{}, {}], partner],
  ])('its file is waited for where %s', async (_, standins, workflow) => {
    await start(standins, patient({ lostAfterMs: 600_000, refusedAfterMs: 50 }));
    const call = fleet.generate(workflow);
    const victim = await killWhileFetched();
    // Several times the limit.
    await new Promise((resolve) => setTimeout(resolve, 400));
    await victim.restart();
    expect(await call).toMatchObject({ attempts: 1 });
    expect(fleet.submissions).toBe(1);
  });
});

describe('a ComfyUI after 0.8.0', () => {
  const newer = { version: '0.8.0', newer: true } as const;

  it('cancels a running job by its own route, and no interrupt is sent', async () => {
    await start([newer]);
    const leaving = new AbortController();
    const call = fetch(`${fleet.gateway.url}/api/generate`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ workflow_data: slow({ steps: 500 }), output_node_id: 277 }),
      signal: leaving.signal,
    }).catch(() => undefined);
    const [backend] = await fleet.busy();
    leaving.abort();
    await call;
    await expect.poll(() => backend.executed.at(-1)?.outcome, SOON).toBe('interrupted');
    const routes = backend.requests.map(({ route }) => route);
    expect(routes).toContain('POST /jobs/{id}/cancel');
    expect(routes).not.toContain('POST /interrupt');
    await fleet.expectRecovered();
  });

  it('takes our prompt ids, and its files count whatever it says of them besides', async () => {
    await start([newer]);
    const color = 0x0a_0b_0c;
    const reply = await fleet.generate(picture({ color }));
    expect([reply.attempts, reply.outputs.length]).toEqual([1, 1]);
    expect(await fleet.colorOf(reply)).toBe(color);
  });

  it('lacks a class: 422 with the node that has it', async () => {
    await start([newer]);
    const workflow = { ...picture(), '5': { class_type: 'NoSuchNode', inputs: { images: ['277', 0] } } };
    const problem = await fleet.problem(workflow);
    expect(problem).toMatchObject({ status: 422, code: 'invalid_workflow' });
    expect(problem.node_errors).toMatchObject({
      '5': { class_type: 'NoSuchNode', errors: [{ type: 'missing_node_type' }] },
    });
  });
});
