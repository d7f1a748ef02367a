import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { ComfyService, JobFailure, JobState, SubmitRequest } from '../comfy/index.js';
import { StateDatabase } from '../state/index.js';
import { Idempotency } from './idempotency.js';

const HOUR_MS = 3_600_000;
const workflow = { '1': { class_type: 'A', inputs: { seed: 18446744073709551615n, text: 'x' } } };

let database: StateDatabase;
let jobs: Map<string, JobState>;
let refused: Error | undefined;
let idempotency: Idempotency;

/** The engine, as far as it matters here. */
const comfy = {
  submit: (_: SubmitRequest, alongside?: (id: string) => void) => {
    if (refused !== undefined) throw refused;
    const job: JobState = {
      id: `job-${jobs.size}`,
      status: 'queued',
      times: { created: 1 },
      attempts: [],
      outputs: [],
    };
    jobs.set(job.id, job);
    alongside?.(job.id);
    return job;
  },
  find: (id: string) => jobs.get(id),
} as unknown as ComfyService;

beforeEach(async () => {
  vi.useFakeTimers({ toFake: ['Date'] });
  database = await StateDatabase.open();
  jobs = new Map();
  refused = undefined;
  idempotency = new Idempotency(comfy, database);
});

afterEach(() => {
  vi.useRealTimers();
  database.close();
});

const submit = (key: string | undefined, more: Partial<SubmitRequest> = {}, scope = '') =>
  idempotency.submitOnce(key, scope, { workflow, ...more });

function fail(id: string, retryable: boolean): void {
  const failure: JobFailure = { code: 'backend_lost', message: '', retryable };
  jobs.set(id, { ...(jobs.get(id) as JobState), status: 'failed', failure });
}

describe('Idempotency', () => {
  it('makes a job of every request without a key', () => {
    expect([submit(undefined).job.id, submit(undefined).job.id]).toEqual(['job-0', 'job-1']);
  });

  it('makes one job of all requests with a key', () => {
    expect(submit('k')).toMatchObject({ job: { id: 'job-0' }, replayed: false });
    expect(submit('k')).toMatchObject({ job: { id: 'job-0' }, replayed: true });
    // The order of members says nothing in JSON.
    const turned = { '1': { inputs: { text: 'x', seed: 18446744073709551615n }, class_type: 'A' } };
    expect(submit('k', { workflow: turned, priority: 0 })).toMatchObject({ replayed: true });
    expect(submit('other').replayed).toBe(false);
    expect(submit('k', {}, 'tenant').replayed).toBe(false);
  });

  it.each<[string, Partial<SubmitRequest>]>([
    [
      'a workflow',
      { workflow: { '1': { class_type: 'A', inputs: { seed: 18446744073709551614n, text: 'x' } } } },
    ],
    ['a node', { outputNode: 1 }],
    ['a priority', { priority: 1 }],
    ['what is wanted', { allOutputs: true }],
  ])('refuses a key that stands for another request: %s', (_, other) => {
    submit('k');
    expect(() => submit('k', other)).toThrow(
      expect.objectContaining({ code: 'idempotency_key_reuse' }) as Error,
    );
  });

  it('does not care how a node is written, nor for API keys, which it does not keep', () => {
    submit('k', { outputNode: 1, extraData: { api_key_comfy_org: 'secret' } });
    expect(submit('k', { outputNode: '1' }).replayed).toBe(true);
    expect(JSON.stringify(database.all('SELECT * FROM idempotency_keys'))).not.toContain('secret');
  });

  it('frees a key whose job failed for a reason that passes, or is forgotten', () => {
    submit('k');
    fail('job-0', false);
    expect(submit('k').replayed).toBe(true);
    fail('job-0', true);
    expect(submit('k')).toMatchObject({ job: { id: 'job-1' }, replayed: false });
    jobs.delete('job-1');
    expect(submit('k').replayed).toBe(false);
  });

  it('keeps no key of a request that was refused', () => {
    refused = new Error('full');
    expect(() => submit('k')).toThrow('full');
    refused = undefined;
    expect(submit('k', { priority: 5 }).replayed).toBe(false);
  });

  it.each([
    { where: 'in memory the newest', durable: false, oldest: undefined },
    { where: 'on a disk all of a day', durable: true, oldest: { key: '1' } },
  ])('remembers $where', ({ durable, oldest }) => {
    Object.defineProperty(database, 'durable', { value: durable });
    database.run(
      `WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100500)
       INSERT INTO idempotency_keys SELECT 'old', i, '', '', ? + i FROM n`,
      Date.now() - HOUR_MS,
    );
    for (let index = 0; index < 1_000; index += 1) submit(`new ${index}`);
    expect(database.get("SELECT key FROM idempotency_keys WHERE scope = 'old' AND key = '1'")).toEqual(
      oldest,
    );
    expect(submit('new 0')).toMatchObject({ job: { id: 'job-0' }, replayed: true });
  });

  it('does not name the job of a key that somebody else may have chosen', () => {
    submit('k');
    expect(() => submit('k', { priority: 1 })).toThrow(expect.objectContaining({ extras: {} }) as Error);
  });

  it('takes what becomes of the images for a part of the request, and knows keys of before it was one', () => {
    submit('k');
    // As it was written by the release before.
    const kept = database.get("SELECT fingerprint FROM idempotency_keys WHERE key = 'k'");
    expect(kept).toEqual({ fingerprint: '5ur_WyqHGJiAUqmyAh2AjOMxkr7T7UpckudcT55pomQ' });
    expect(() => submit('k', { convert: { format: 'webp' } })).toThrow(/another request/);
    submit('c', { convert: { format: 'webp', quality: undefined } });
    expect(submit('c', { convert: { format: 'webp' } }).replayed).toBe(true);
    expect(() => submit('c', { convert: { format: 'avif' } })).toThrow(/another request/);
  });

  it('forgets a key after a day', () => {
    submit('k');
    vi.advanceTimersByTime(23.9 * HOUR_MS);
    expect(submit('k').replayed).toBe(true);
    vi.advanceTimersByTime(0.2 * HOUR_MS);
    expect(submit('k').replayed).toBe(false);
    submit('another');
    expect(database.get('SELECT count(*) AS n FROM idempotency_keys')).toEqual({ n: 2 });
  });
});
