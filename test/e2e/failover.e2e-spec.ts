import { afterEach, describe, expect, it } from 'vitest';
import type { StandinOptions } from '../comfyui/index.js';
import { Fleet, SOON } from './support/backends.js';
import type { GatewayOptions } from './support/gateway.js';
import { failing, picture, slow } from './support/workflows.js';

let fleet: Fleet;
const start = async (standins: StandinOptions[] = [{}, {}], options: GatewayOptions = {}) =>
  (fleet = await Fleet.start(standins, options));
afterEach(() => fleet.stop());

/** A picture of a known colour that takes a while. */
function slowOf(color: number, steps = 30) {
  const workflow = slow({ steps, delayMs: 20 });
  return { ...workflow, '1': picture({ color })['1'] };
}

describe.each([
  { name: '0.3.64', legacy: false },
  { name: '0.3.11', legacy: true },
])('a job whose ComfyUI ($name)', ({ legacy }) => {
  const two = [{ legacy }, { legacy }];

  it('dies, is done by another', async () => {
    await start(two);
    const call = fleet.generate(slowOf(0x0a_0b_0c));
    const [victim] = await fleet.busy();
    await victim.kill();
    const reply = await call;
    expect(reply.attempts).toBe(2);
    expect(await fleet.colorOf(reply)).toBe(0x0a_0b_0c);
    expect(fleet.rendered).toBe(1);
    expect(await fleet.gateway.files()).toHaveLength(1);
    await victim.restart();
    await fleet.allUsable();
    await fleet.expectRecovered();
  });

  it('restarts with an empty queue, is sent again', async () => {
    await start([{ legacy }]);
    const calls = [fleet.generate(slowOf(1)), fleet.generate(slowOf(2, 2))];
    const [victim] = await fleet.busy();
    await victim.restart();
    const replies = await Promise.all(calls);
    expect(await Promise.all(replies.map((reply) => fleet.colorOf(reply)))).toEqual([1, 2]);
    await fleet.expectRecovered();
  });

  it('forgets it, is done all the same', async () => {
    await start(two);
    const call = fleet.generate(slowOf(3));
    const [victim] = await fleet.busy();
    victim.faults.forgetAll();
    expect(await fleet.colorOf(await call)).toBe(3);
    await fleet.expectRecovered();
  });

  it('takes it and never queues it, is done all the same', async () => {
    await start(two);
    for (const backend of fleet.backends) backend.faults.swallowPrompt(1);
    const reply = await fleet.generate(picture({ color: 4 }));
    expect([reply.attempts, await fleet.colorOf(reply)]).toEqual([3, 4]);
  });

  it('is cut off, is done by another; what still runs there is stopped when it is back', async () => {
    await start(two);
    const call = fleet.generate(slowOf(5, 400));
    const [victim, [other]] = await fleet.busy();
    await victim.faults.cutOff();
    await expect.poll(() => other?.queue.running.length, SOON).toBe(1);
    expect(victim.queue.running).toHaveLength(1);
    await victim.faults.refuseConnections(false);
    await expect.poll(() => victim.executed.map(({ outcome }) => outcome), SOON).toEqual(['interrupted']);
    expect(await fleet.colorOf(await call)).toBe(5);
    expect(fleet.rendered).toBe(1);
    await fleet.expectRecovered();
  });

  it('falls silent with its connections open, is done by another in bounded time', async () => {
    await start(two);
    const call = fleet.generate(slowOf(6, 100));
    const [victim] = await fleet.busy();
    // As a process that is stopped: nothing is closed, nothing is answered.
    victim.faults.muteSockets();
    for (const route of ['GET /queue', 'GET /history/{id}', 'GET /ws', 'POST /interrupt'] as const)
      victim.faults.hangNext(route, 1_000);
    const reply = await call;
    expect([reply.attempts, await fleet.colorOf(reply)]).toEqual([2, 6]);
    victim.faults.clear();
    victim.faults.unmuteSockets();
    await fleet.expectRecovered();
  });
});

describe('a job that', () => {
  it.each([
    ['fails at a node', failing('ValueError'), 502, 'node_execution_error'],
    ['is refused', { '277': { class_type: 'NoSuchNode', inputs: {} } }, 422, 'invalid_workflow'],
    [
      'makes nothing',
      { '277': { class_type: 'ProbeLists', inputs: { lists: '{}', filename_prefix: 'x' } } },
      422,
      'no_output',
    ],
  ])('%s is not run again', async (_, workflow, status, code) => {
    await start();
    expect(await fleet.problem(workflow)).toMatchObject({ status, code });
    expect(fleet.submissions).toBe(1);
    expect(fleet.service.backends.map(({ circuit }) => circuit.state)).toEqual(['closed', 'closed']);
  });

  it('ran out of memory is run once more, after the memory was freed', async () => {
    await start([{}]);
    fleet.at(0).faults.oomNext();
    const reply = await fleet.generate(picture({ color: 7 }));
    expect([reply.attempts, await fleet.colorOf(reply)]).toEqual([2, 7]);
    const freed = fleet.at(0).requests.filter(({ route }) => route === 'POST /free');
    expect(freed.map(({ body }) => body)).toEqual([{ unload_models: true, free_memory: true }]);
  });

  it('runs out of memory twice is given up, and says how often it was tried', async () => {
    await start();
    const problem = await fleet.problem(failing('OOM'));
    expect(problem).toMatchObject({ status: 502, code: 'out_of_memory' });
    expect(problem.detail).toContain('tried 2 times');
    expect(fleet.submissions).toBe(2);
  });

  it('is lost wherever it goes is given up after MAX_ATTEMPTS', async () => {
    await start([{}, {}], { env: { MAX_ATTEMPTS: '4' } });
    for (const backend of fleet.backends) backend.faults.swallowPrompt(100);
    const problem = await fleet.problem(picture());
    expect(problem).toMatchObject({ status: 502, code: 'backend_lost' });
    expect(problem.detail).toContain('tried 4 times');
    expect(fleet.submissions).toBe(4);
  });

  it('is hung up on while it is tried again is not', async () => {
    await start([{}]);
    fleet.at(0).faults.swallowPrompt(100);
    const abort = new AbortController();
    const body = { workflow_data: picture(), output_node_id: 277 };
    const call = fleet.gateway.post('/api/generate', body, { signal: abort.signal }).catch(() => 'gone');
    await expect.poll(() => fleet.submissions, SOON).toBeGreaterThan(0);
    abort.abort();
    expect(await call).toBe('gone');
    fleet.at(0).faults.clear();
    await fleet.expectRecovered();
    expect(await fleet.gateway.files()).toHaveLength(1);
  });
});

describe('a proxy in front of ComfyUI that answers', () => {
  it.each([500, 502, 503, 504])('%i is not taken for ComfyUI: another one does the job', async (status) => {
    await start();
    for (const backend of fleet.backends)
      backend.faults.failNext('POST /prompt', status, '<html>sorry</html>');
    const reply = await fleet.generate(picture({ color: 13 }));
    expect([reply.attempts, await fleet.colorOf(reply)]).toEqual([3, 13]);
  });
});

describe('a backend that is broken by itself', () => {
  it.each([
    ['its device', 'breakDevice', 'failed: torch.AcceleratorError'],
    ['its disk', 'fillDisk', 'cannot write files to its output folder'],
  ] as const)('%s: its jobs go elsewhere; it rests until its health check passes', async (_, fault, why) => {
    await start();
    const call = fleet.generate(slowOf(8, 5));
    const [victim] = await fleet.busy();
    victim.faults[fault]();
    expect(await fleet.colorOf(await call)).toBe(8);
    const state = () => fleet.service.backends.find(({ name }) => name === victim.address);
    expect(state()).toMatchObject({ usable: false, lastFailure: { message: expect.stringContaining(why) } });
    // Through several rests and checks: nobody meets it.
    const calls = Array.from({ length: 6 }, () => fleet.generate(slow({ steps: 3 })));
    expect((await Promise.all(calls)).map(({ attempts }) => attempts)).toEqual(calls.map(() => 1));
    victim.faults.clear();
    await fleet.allUsable();
    await Promise.all(Array.from({ length: 4 }, () => fleet.generate(slow({ steps: 3 }))));
    await expect.poll(() => state()?.circuit.state, SOON).toBe('closed');
    await fleet.expectRecovered();
  });

  it('a single one: callers wait until it works again, or are told why not', async () => {
    await start([{}], { env: { MAX_ATTEMPTS: '10' }, comfy: { noBackendAfterMs: 20_000 } });
    fleet.at(0).faults.fillDisk();
    const call = fleet.generate(picture({ color: 4 }));
    await expect.poll(() => fleet.service.backends[0]?.circuit.state, SOON).toBe('open');
    fleet.at(0).faults.clear();
    expect(await fleet.colorOf(await call)).toBe(4);
  });
});

describe('a job with nodes of partners', () => {
  const partner = (seconds: number) => {
    const workflow = picture();
    const node = { class_type: 'TestPartner', inputs: { image: ['1', 0], seconds } };
    const save = { ...workflow['277'], inputs: { ...workflow['277']?.inputs, images: ['5', 0] } };
    return { ...workflow, '5': node, '277': save };
  };

  it('is never run again once it was accepted, and says why', async () => {
    await start();
    const call = fleet.problem(partner(30));
    const [victim] = await fleet.busy();
    await expect
      .poll(() => victim.requests.some(({ path }) => path.includes('TestPartner')), SOON)
      .toBe(true);
    await victim.kill();
    const problem = await call;
    expect(problem).toMatchObject({ status: 502, code: 'backend_lost' });
    expect(problem.detail).toContain('It was not run again, because it has partner (API) nodes');
    expect(fleet.submissions).toBe(1);
  });

  it('is run elsewhere where it was not accepted', async () => {
    await start();
    for (const backend of fleet.backends) backend.faults.failNext('POST /prompt', 503);
    expect((await fleet.generate(partner(0.01))).attempts).toBe(3);
  });
});

describe('what a caller brings about', () => {
  const raising = (exception: string, message: string) => {
    const workflow = picture();
    const raise = { class_type: 'TestRaise', inputs: { image: ['1', 0], exception, message } };
    const images = ['5', 0];
    const save = { ...workflow['277'], inputs: { ...workflow['277']?.inputs, images } };
    return { ...workflow, '5': raise, '277': save };
  };
  const innocent = () => fleet.generate(picture({ color: 0x33 }));
  const allClosed = () =>
    expect(fleet.service.backends.map(({ circuit, usable }) => [circuit.state, usable])).toEqual(
      fleet.backends.map(() => ['closed', true]),
    );

  it.each([
    ['RuntimeError', 'CUDA error: no kernel image is available for execution on the device', 1],
    ['torch.AcceleratorError', 'CUDA error: device-side assert triggered', 1],
    ['ValueError', 'CUDA error: out of memory', 1],
    ['OSError', '[Errno 36] File name too long: CUDA error: out of memory', 1],
    // The disk of another one may have more room.
    ['OSError:28', '', 2],
    ['OSError:5', '', 2],
    ['torch.OutOfMemoryError', 'Allocation on device', 2],
  ])('%s(%j): its own failure, no backend rests, nobody else notices', async (type, message, tries) => {
    await start();
    const calls = Array.from({ length: 4 }, () => fleet.problem(raising(type, message)));
    const others = Array.from({ length: 4 }, innocent);
    expect((await Promise.all(others)).map(({ attempts }) => attempts)).toEqual([1, 1, 1, 1]);
    for (const problem of await Promise.all(calls)) {
      expect(problem.code).toMatch(/node_execution_error|out_of_memory/);
      expect(problem.detail.includes('tried 2 times')).toBe(tries === 2);
    }
    allClosed();
    const frees = fleet.backends.map(
      ({ requests }) => requests.filter(({ route }) => route === 'POST /free').length,
    );
    expect(Math.max(...frees)).toBeLessThanOrEqual(1);
  });

  it('files that nobody can fetch are no fault of a backend that passes its health check', async () => {
    await start([{}], { env: { MAX_ATTEMPTS: '1' } });
    fleet.at(0).faults.resetNext('GET /view', 10_000);
    const calls = Array.from({ length: 4 }, () => fleet.problem(picture()));
    expect((await Promise.all(calls)).map(({ status }) => status)).toEqual([502, 502, 502, 502]);
    fleet.at(0).faults.clear();
    expect((await innocent()).attempts).toBe(1);
    allClosed();
  });

  it('a hang-up on a node that cannot be stopped keeps jobs away from there, and nothing rests', async () => {
    await start([{}], { adjust: ({ comfy }) => (comfy.noBackendAfterMs = 100) });
    const abort = new AbortController();
    const body = { workflow_data: slow({ steps: 1, delayMs: 1_500 }), output_node_id: 277 };
    const call = fleet.gateway.post('/api/generate', body, { signal: abort.signal }).catch(() => 'gone');
    await fleet.busy();
    abort.abort();
    expect(await call).toBe('gone');
    expect((await innocent()).attempts).toBe(1);
    allClosed();
  });
});

describe('deadlines', () => {
  const adjust =
    (jobMs: number, stallMs: number): GatewayOptions['adjust'] =>
    ({ comfy }) => {
      comfy.deadlines = { jobMs, stallMs };
    };

  it('a silent node may take longer than the stall limit while ComfyUI says that it runs', async () => {
    await start([{}], { adjust: adjust(30_000, 800) });
    const reply = await fleet.generate(slow({ steps: 1, delayMs: 2_000 }));
    expect(reply.attempts).toBe(1);
    expect(fleet.submissions).toBe(1);
    expect(fleet.service.backends[0]?.circuit.state).toBe('closed');
  });

  it('a job that nothing confirms is stopped and given up; the backend is not used meanwhile', async () => {
    await start([{}], { env: { MAX_ATTEMPTS: '1' }, adjust: adjust(30_000, 300) });
    // ComfyUI can stop a node between its steps only.
    const call = fleet.problem(slow({ steps: 1, delayMs: 1_500 }));
    await fleet.busy();
    fleet.at(0).faults.failNext('GET /queue', 502, '<html>Bad Gateway</html>', 1_000);
    expect(await call).toMatchObject({ status: 504, code: 'job_stalled' });
    await expect.poll(() => fleet.service.backends[0]?.circuit.state, SOON).toBe('open');
    fleet.at(0).faults.clear();
    const outcomes = () => fleet.at(0).executed.map(({ outcome }) => outcome);
    await expect.poll(() => outcomes()[0], SOON).toBe('interrupted');
    await fleet.allUsable();
    await fleet.expectRecovered();
  });

  it('a job that takes too long is stopped, and not tried again', async () => {
    await start([{}], { adjust: adjust(400, 10_000) });
    const problem = await fleet.problem(slow({ steps: 1_000, delayMs: 10 }));
    expect(problem).toMatchObject({ status: 504, code: 'job_timeout' });
    await expect
      .poll(() => fleet.at(0).executed.map(({ outcome }) => outcome), SOON)
      .toEqual(['interrupted']);
    await fleet.expectRecovered();
  });

  it('the wait limit of a call is its own: the job goes on, also through a second try', async () => {
    await start([{}], { env: { GENERATE_TIMEOUT_S: '1' }, adjust: adjust(30_000, 10_000) });
    const problem = await fleet.problem(slowOf(9, 60));
    expect(problem).toMatchObject({ status: 504, code: 'wait_timeout' });
    fleet.at(0).faults.forgetAll();
    const result = () => fleet.gateway.fetch(`/api/generate/${problem.job_id}`);
    await expect.poll(async () => (await result()).status, SOON).toBe(200);
    expect(JSON.parse((await result()).bytes.toString())).toMatchObject({ attempts: 2 });
  });
});

describe('events', () => {
  const frame = (type: string, data: object) => JSON.stringify({ type, data });

  it('that come out of order, twice, or of nobody’s prompt end nothing too early', async () => {
    await start([{}]);
    const call = fleet.generate(slowOf(10, 20));
    const [backend] = await fleet.busy();
    const [prompt_id] = backend.queue.running;
    const output = { images: [] };
    for (const id of [prompt_id, 'somebody-elses', undefined]) {
      backend.faults.sendGarbage(frame('execution_success', { prompt_id: id }));
      backend.faults.sendGarbage(frame('executing', { node: null, prompt_id: id }));
      backend.faults.sendGarbage(frame('execution_start', { prompt_id: id }));
      backend.faults.sendGarbage(
        frame('executed', { node: '277', display_node: '277', output, prompt_id: id }),
      );
    }
    backend.faults.sendGarbage(frame('execution_interrupted', { prompt_id: 'somebody-elses', node_id: '2' }));
    backend.faults.sendGarbage(frame('execution_error', { prompt_id: 'somebody-elses' }));
    const reply = await call;
    expect([reply.attempts, await fleet.colorOf(reply)]).toEqual([1, 10]);
    expect(fleet.submissions).toBe(1);
  });

  it('the history entry that somebody deletes while nobody can see the events: run again', async () => {
    await start([{}]);
    const call = fleet.generate(slowOf(11, 20));
    const [backend] = await fleet.busy();
    for (const type of ['executed', 'execution_success', 'executing']) backend.faults.loseEvents(type);
    const [id] = backend.queue.running;
    await expect.poll(() => backend.history.has(id ?? ''), { interval: 1, timeout: 10_000 }).toBe(true);
    await fetch(`${backend.url}/history`, { method: 'POST', body: JSON.stringify({ delete: [id] }) });
    backend.faults.clear();
    const reply = await call;
    expect([reply.attempts, await fleet.colorOf(reply)]).toEqual([2, 11]);
  });

  it('an interrupt of an old server that was meant for another job of ours costs this one a second try only', async () => {
    await start([{ legacy: true }]);
    const doomed = new AbortController();
    const body = { workflow_data: slow({ steps: 12 }), output_node_id: 277 };
    const hungUp = fleet.gateway.post('/api/generate', body, { signal: doomed.signal }).catch(() => 'gone');
    const [backend] = await fleet.busy();
    const next = fleet.generate(slowOf(12, 30));
    await expect.poll(() => backend.queue.pending.length, SOON).toBe(1);
    // By the time the order arrives, the next one runs.
    backend.faults.delay('POST /interrupt', 500);
    doomed.abort();
    expect(await hungUp).toBe('gone');
    const reply = await next;
    expect(await fleet.colorOf(reply)).toBe(12);
    expect(reply.attempts).toBe(2);
  });
});
