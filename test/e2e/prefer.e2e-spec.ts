import { afterEach, describe, expect, it } from 'vitest';
import { Fleet, SOON } from './support/backends.js';
import { readProblem } from './support/gateway.js';
import { failing, picture, slow } from './support/workflows.js';

let fleet: Fleet;

afterEach(() => fleet.stop());

const call = (workflow: unknown, prefer: string, path = '/api/generate', more: object = {}) =>
  fleet.gateway.post(
    path,
    { workflow_data: workflow, output_node_id: 277, ...more },
    { headers: { prefer } },
  );

interface Pending {
  job_id: string;
  job_url: string;
  status: string;
  progress: number;
}

const get = (url: string, headers: Record<string, string> = {}) =>
  fetch(new URL(url, fleet.gateway.url), { headers });

describe('Prefer', () => {
  it('respond-async: 202 at once, and where to ask', async () => {
    fleet = await Fleet.start([{}]);
    const reply = await call(slow({ steps: 10 }), 'respond-async');
    expect(reply.status).toBe(202);
    expect(reply.headers.get('preference-applied')).toBe('respond-async');
    expect(reply.headers.get('retry-after')).toBe('2');
    const pending = (await reply.json()) as Pending;
    expect(pending).toMatchObject({ job_url: `/api/generate/${pending.job_id}`, progress: 0 });
    expect(reply.headers.get('location')).toBe(pending.job_url);
    await expect.poll(async () => (await get(pending.job_url)).status, SOON).toBe(200);
    expect(fleet.submissions).toBe(1);
  });

  it('leads to the file where the file was wanted', async () => {
    fleet = await Fleet.start([{}], { env: { SERVER_BASE_URL: 'http://pictures.example.com' } });
    const workflow = {
      ...picture(),
      '1': { class_type: 'EmptyImage', inputs: { width: 8, height: 8, batch_size: 2, color: 9 } },
    };
    const reply = await call(workflow, 'respond-async', '/api/generate_file', { output_index: 1 });
    const { job_id, job_url } = (await reply.json()) as Pending;
    const location = reply.headers.get('location') ?? '';
    expect(location).toBe(
      `http://pictures.example.com/api/generate/${job_id}?response_type=file&output_index=1`,
    );
    expect(job_url).toBe(location);
    const path = location.slice('http://pictures.example.com'.length);
    await expect.poll(async () => (await get(path)).status, SOON).toBe(200);
    const file = await get(path);
    expect(file.headers.get('content-type')).toBe('image/png');
  });

  it('wait: the result where it is there in time, else 202; hanging up after that cancels nothing', async () => {
    fleet = await Fleet.start([{}]);
    const quick = await call(picture(), 'wait=20');
    expect([quick.status, quick.headers.get('preference-applied')]).toEqual([200, 'wait=20']);
    const late = await call(slow({ steps: 30, delayMs: 50 }), 'respond-async, wait=1');
    expect([late.status, late.headers.get('preference-applied')]).toEqual([202, 'respond-async, wait=1']);
    const { job_url } = (await late.json()) as Pending;
    const result = await get(job_url, { prefer: 'wait=20' });
    expect([result.status, result.headers.get('preference-applied')]).toEqual([200, 'wait=20']);
  });

  it('a job that fails within the wait is told as ever', async () => {
    fleet = await Fleet.start([{}]);
    const problem = await readProblem(await call(failing('ValueError'), 'wait=20'));
    expect(problem.code).toBe('node_execution_error');
  });

  it('never waits longer than the server would; without a preference that is a 504, and the job is found all the same', async () => {
    fleet = await Fleet.start([{}], { adjust: ({ generate }) => (generate.waitLimitMs = 200) });
    const capped = await call(slow({ steps: 10, delayMs: 50 }), 'wait=3600');
    expect([capped.status, capped.headers.get('preference-applied')]).toEqual([202, null]);
    const problem = await readProblem(
      await call(slow({ steps: 10, delayMs: 50 }), 'handling=lenient', '/api/generate_file'),
    );
    expect(problem.code).toBe('wait_timeout');
    const url = problem.job_url ?? '';
    expect(url).toBe(`/api/generate/${problem.job_id}?response_type=file`);
    expect((await get(url, { prefer: 'wait=0' })).status).toBe(202);
    await expect.poll(async () => (await get(url)).status, SOON).toBe(200);
  });

  it('who asks for a job and hangs up cancels nothing', async () => {
    fleet = await Fleet.start([{}]);
    const reply = await call(slow({ steps: 20 }), 'respond-async');
    const { job_url } = (await reply.json()) as Pending;
    const leaving = new AbortController();
    const asking = fetch(new URL(job_url, fleet.gateway.url), {
      headers: { prefer: 'wait=20' },
      signal: leaving.signal,
    });
    asking.catch(() => undefined);
    await fleet.busy();
    leaving.abort();
    expect((await get(job_url, { prefer: 'wait=20' })).status).toBe(200);
  });
});
