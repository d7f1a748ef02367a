import { describe, expect, it, onTestFinished } from 'vitest';
import { StateDatabase } from '../../state/index.js';
import { JobStore } from './job-store.js';
import { Job } from './job.js';
import type { JobOutput, JobRequest } from './job.types.js';

async function open(): Promise<{ store: JobStore; database: StateDatabase }> {
  const database = await StateDatabase.open();
  onTestFinished(() => database.close());
  return { store: new JobStore(database), database };
}

const request = (more: Partial<JobRequest> = {}): JobRequest => ({
  workflow: { '1': { class_type: 'KSampler', inputs: { seed: 18446744073709551615n } } },
  media: [],
  outputNode: '1',
  allOutputs: false,
  priority: 3,
  caller: 'studio',
  ...more,
});

function add(store: JobStore, id: string, more: Partial<JobRequest> = {}): Job {
  const job = new Job(id, request(more), 1);
  store.add(job);
  return job;
}

const output: JobOutput = {
  id: 'asset',
  key: 'image_1_0.png',
  kind: 'image',
  type: 'image',
  contentType: 'image/png',
  size: 3,
  md5: '00',
  node: '1',
  place: 'output',
  name: 'a.png',
  url: '/x',
  expiresAt: new Date(5),
};

describe('JobStore', () => {
  it('remembers which inputs bring files, also for jobs of a version that only knew assets', async () => {
    const { store, database } = await open();
    const asset = { __type: 'core/ASSET', info: { id: 'AB' } };
    const workflow = { '1': { class_type: 'LoadImage', inputs: { image: asset } } };
    const media = [{ node: '1', input: 'image', kind: 'image' as const, url: 'https://example.com/a.png' }];
    add(store, 'new', { media });
    add(store, 'old', { workflow });
    database.run("UPDATE jobs SET request = json_remove(request, '$.media') WHERE id = 'old'");
    expect(store.unfinished().map(({ request: { media } }) => media)).toEqual([
      media,
      [{ node: '1', input: 'image', kind: undefined, asset: 'ab' }],
    ]);
  });

  it('has a job on record as it goes, but for what is of the moment', async () => {
    const { store } = await open();
    const job = add(store, 'a');
    job.apply({ type: 'started', at: 2, backend: 'gpu', promptId: 'p' });
    job.apply({ type: 'preview', preview: { node: '1', mime: 'image/png', bytes: new Uint8Array(9) } });
    expect(store.find('a')).toEqual({
      id: 'a',
      status: 'running',
      backend: 'gpu',
      promptId: 'p',
      times: { created: 1, started: 2 },
      attempts: [],
      outputs: [],
    });
    job.apply({ type: 'succeeded', at: 3, outputs: [output] });
    expect(store.find('a')).toEqual(job.state);
    expect(store.find('b')).toBeUndefined();
  });

  it('reads what was written down before outputs had types', async () => {
    const { store } = await open();
    const { type: _, ...old } = output;
    const latent = {
      ...old,
      id: 'b',
      key: 'file_1_1.latent',
      kind: 'file',
      contentType: 'application/octet-stream',
    };
    add(store, 'a').apply({ type: 'succeeded', at: 3, outputs: [old, latent] as unknown as JobOutput[] });
    expect(store.find('a')?.outputs.map(({ type }) => type)).toEqual(['image', 'latent']);
  });

  it('knows what has not ended, with all that is needed to run it, and no keys', async () => {
    const { store, database } = await open();
    add(store, 'a').apply({ type: 'cancelled', at: 2 });
    add(store, 'b', { extraData: { api_key_comfy_org: 'secret-key' } });
    const job = add(store, 'c');
    job.apply({ type: 'started', at: 2, backend: 'gpu', promptId: 'p' });
    expect(store.unfinished()).toEqual([
      {
        state: expect.objectContaining({ id: 'b', status: 'queued' }) as unknown,
        request: request({ keysLost: true }),
      },
      { state: job.state, request: request({ keysLost: false }) },
    ]);
    expect(JSON.stringify(database.all('SELECT * FROM jobs'))).not.toContain('secret-key');
  });

  it('keeps the workflow as it was sent, long integers too', async () => {
    const { store } = await open();
    add(store, 'a').apply({ type: 'cancelled', at: 2 });
    expect(store.workflowOf('a')).toEqual(request().workflow);
    expect(store.workflowOf('b')).toBeUndefined();
  });

  it('lists the newest first, by status, page after page', async () => {
    const { store } = await open();
    for (const id of ['a', 'b', 'c', 'd', 'e']) add(store, id);
    add(store, 'f').apply({ type: 'cancelled', at: 2 });
    const ids = (page: ReturnType<JobStore['list']>) => page.jobs.map(({ id }) => id);
    const first = store.list({ limit: 2, statuses: ['queued', 'failed'] });
    expect(ids(first)).toEqual(['e', 'd']);
    add(store, 'g');
    const second = store.list({ limit: 2, statuses: ['queued', 'failed'], before: first.next });
    expect(ids(second)).toEqual(['c', 'b']);
    const third = store.list({ limit: 2, statuses: ['queued', 'failed'], before: second.next });
    expect(ids(third)).toEqual(['a']);
    expect(third.next).toBeUndefined();
    expect(ids(store.list({ limit: 1, statuses: ['cancelled'] }))).toEqual(['f']);
    expect(ids(store.list({ limit: 9 }))).toEqual(['g', 'f', 'e', 'd', 'c', 'b', 'a']);
  });

  it('has a bound in memory, for jobs and for their workflows', async () => {
    const { store } = await open();
    const workflow = { '1': { class_type: 'A', inputs: { text: 'x'.repeat(1_000_000) } } };
    for (let index = 0; index < 1_003; index += 1) {
      add(store, `j${index}`, index > 960 ? { workflow } : {}).apply({ type: 'cancelled', at: index });
    }
    expect(store.tooMany()).toEqual(['j0', 'j1', 'j2']);
    store.trimWorkflows();
    expect(store.workflowOf('j1002')).toBeDefined();
    expect(store.workflowOf('j970')).toBeDefined();
    expect(store.workflowOf('j962')).toBeUndefined();
    store.forget('j0');
    expect(store.find('j0')).toBeUndefined();
  });

  it('goes on where it cannot write, and makes up for it', async () => {
    const { store, database } = await open();
    const job = add(store, 'a');
    database.run("CREATE TRIGGER full BEFORE UPDATE ON jobs BEGIN SELECT RAISE(FAIL, 'disk full'); END");
    job.apply({ type: 'cancelled', at: 2 });
    expect(store.find('a')?.status).toBe('cancelled');
    expect(store.list({ limit: 1 }).jobs[0]?.status).toBe('queued');
    add(store, 'b').apply({ type: 'cancelled', at: 3 });
    expect(store.flush()).toBe(false);
    database.run('DROP TRIGGER full');
    // As it does by itself, a second later.
    expect(store.flush()).toBe(true);
    expect(store.list({ limit: 2 }).jobs.map(({ status }) => status)).toEqual(['cancelled', 'cancelled']);
  });
});
