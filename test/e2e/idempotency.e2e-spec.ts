import { afterEach, describe, expect, it } from 'vitest';
import { StateDatabase } from '../../src/state/index.js';
import { Fleet, SOON } from './support/backends.js';
import { readProblem } from './support/gateway.js';
import { failing, picture, salt, slow } from './support/workflows.js';

let fleet: Fleet;

afterEach(() => fleet.stop());

const call = (
  key: string,
  workflow: unknown,
  more: { path?: string; caller?: string; signal?: AbortSignal } = {},
) =>
  fleet.gateway.post(
    more.path ?? '/api/generate',
    { workflow_data: workflow, output_node_id: 277 },
    {
      headers: { 'idempotency-key': key, ...(more.caller === undefined ? {} : { 'caller-id': more.caller }) },
      ...(more.signal === undefined ? {} : { signal: more.signal }),
    },
  );

const jobOf = async (response: Response) => ((await response.json()) as { job_id: string }).job_id;

describe('Idempotency-Key', () => {
  it('gives the same job again, as URL and as file', async () => {
    fleet = await Fleet.start([{}]);
    const workflow = picture();
    const first = await call('a', workflow);
    expect(first.headers.get('idempotency-replayed')).toBeNull();
    const second = await call('a', workflow);
    expect(second.headers.get('idempotency-replayed')).toBe('true');
    const reply = (await second.json()) as { job_id: string; url: string };
    expect(reply).toEqual(await first.json());
    const file = await call('a', workflow, { path: '/api/generate_file' });
    expect(file.headers.get('idempotency-replayed')).toBe('true');
    expect(file.headers.get('job-id')).toBe(reply.job_id);
    expect(Buffer.from(await file.arrayBuffer())).toEqual((await fleet.gateway.fetch(reply.url)).bytes);
    expect(fleet.submissions).toBe(1);
  });

  it('lets everybody with it wait for the one job', async () => {
    fleet = await Fleet.start([{}, {}]);
    const workflow = slow({ steps: 5 });
    const paths = ['/api/generate', '/api/generate_file'];
    const calls = await Promise.all(
      Array.from({ length: 8 }, (_, index) => call('b', workflow, { path: paths[index % 2] ?? '' })),
    );
    expect(calls.map(({ status }) => status)).toEqual(calls.map(() => 200));
    const replayed = calls.filter(({ headers }) => headers.get('idempotency-replayed') === 'true');
    expect(replayed).toHaveLength(7);
    const ids = await Promise.all(
      calls.map(async (reply) => reply.headers.get('job-id') ?? (await jobOf(reply))),
    );
    expect(new Set(ids).size).toBe(1);
    expect(fleet.submissions).toBe(1);
  });

  it('finds the job again after the connection broke, however it stands', async () => {
    fleet = await Fleet.start([{}]);
    const workflow = slow({ steps: 20 });
    const broken = new AbortController();
    const lost = call('c', workflow, { signal: broken.signal });
    lost.catch(() => undefined);
    await fleet.busy();
    broken.abort();
    const again = await call('c', workflow);
    expect(again.status).toBe(200);
    expect(again.headers.get('idempotency-replayed')).toBe('true');
    expect([fleet.submissions, fleet.rendered]).toEqual([1, 1]);
  });

  it('refuses another request with the same key, from the same caller', async () => {
    fleet = await Fleet.start([{}]);
    await call('d', picture());
    const problem = await readProblem(await call('d', picture()));
    expect(problem).toMatchObject({ status: 422, code: 'idempotency_key_reuse' });
    expect((await call('d', picture(), { caller: 'tenant' })).status).toBe(200);
  });

  it('replays a failure of the job’s own doing, and tries again after one that passes', async () => {
    fleet = await Fleet.start([{}], { comfy: { maxAttempts: 1 } });
    const broken = failing('ValueError');
    for (const replayed of [null, 'true']) {
      const reply = await call('e', broken);
      expect(reply.status).toBe(502);
      expect(reply.headers.get('idempotency-replayed')).toBe(replayed);
    }
    expect(fleet.submissions).toBe(1);
    const workflow = picture();
    fleet.at(0).faults.failNext('POST /prompt', 503);
    expect((await readProblem(await call('f', workflow))).code).toBe('no_backend');
    await fleet.allUsable();
    const again = await call('f', workflow);
    expect([again.status, again.headers.get('idempotency-replayed')]).toEqual([200, null]);
  });

  it.each(['', 'with space', 'x'.repeat(256), 'caf\u00e9'])('refuses %j for a key', async (key) => {
    fleet = await Fleet.open([{}]);
    const problem = await readProblem(await call(key, picture()));
    expect(problem).toMatchObject({ status: 400, code: 'invalid_request' });
    expect(problem.errors?.[0]?.field).toBe('Idempotency-Key');
    expect(fleet.submissions).toBe(0);
  });

  it('belongs to who counts as one caller for fair turns', async () => {
    fleet = await Fleet.start([{}]);
    const workflow = picture();
    const caller = 'x'.repeat(128);
    const id = await jobOf(await call('g', workflow, { caller: `${caller}1` }));
    expect(await jobOf(await call('g', workflow, { caller: `${caller}2` }))).toBe(id);
    const kept = fleet.gateway.app
      .get(StateDatabase, { strict: false })
      .all('SELECT scope FROM idempotency_keys');
    expect(kept).toEqual([{ scope: caller }]);
  });

  it('is refused with its request where nothing can be written down', async () => {
    fleet = await Fleet.start([{}]);
    fleet.gateway.app.get(StateDatabase, { strict: false }).close();
    const response = await call('h', picture());
    expect(response.headers.get('retry-after')).toBe('15');
    expect(await readProblem(response)).toMatchObject({ status: 503, code: 'state_error', retry_after: 15 });
    expect(fleet.submissions).toBe(0);
  });

  it('without it, hanging up cancels', async () => {
    fleet = await Fleet.start([{}]);
    const leaving = new AbortController();
    const body = { workflow_data: slow({ steps: 500 }), output_node_id: 277, priority: salt() % 2 };
    const lost = fleet.gateway.post('/api/generate', body, { signal: leaving.signal });
    lost.catch(() => undefined);
    await fleet.busy();
    leaving.abort();
    await expect.poll(() => fleet.at(0).queue.running, SOON).toEqual([]);
  });
});
