import { createHash } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { ComfyService, JobFailure, JobState, SubmitHooks, SubmitRequest } from '../comfy/index.js';
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
  submit: (_: SubmitRequest, { instead, alongside }: SubmitHooks = {}) => {
    const other = instead?.();
    if (other !== undefined) return other;
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
  it('makes a job of every request without a key', async () => {
    const made = [await submit(undefined), await submit(undefined)];
    expect(made.map(({ job }) => job.id)).toEqual(['job-0', 'job-1']);
  });

  it('makes one job of all requests with a key', async () => {
    expect(await submit('k')).toMatchObject({ job: { id: 'job-0' }, replayed: false });
    expect(await submit('k')).toMatchObject({ job: { id: 'job-0' }, replayed: true });
    // The order of members says nothing in JSON.
    const turned = { '1': { inputs: { text: 'x', seed: 18446744073709551615n }, class_type: 'A' } };
    expect(await submit('k', { workflow: turned, priority: 0 })).toMatchObject({ replayed: true });
    expect((await submit('other')).replayed).toBe(false);
    expect((await submit('k', {}, 'tenant')).replayed).toBe(false);
  });

  it.each<[string, Partial<SubmitRequest>]>([
    [
      'a workflow',
      { workflow: { '1': { class_type: 'A', inputs: { seed: 18446744073709551614n, text: 'x' } } } },
    ],
    ['a node', { outputNode: 1 }],
    ['a priority', { priority: 1 }],
    ['what is wanted', { allOutputs: true }],
    ['what is only shown', { includeTemp: true }],
    ['the way of its pictures', { outputsVia: 'socket' }],
  ])('refuses a key that stands for another request: %s', async (_, other) => {
    await submit('k');
    await expect(submit('k', other)).rejects.toThrow(
      expect.objectContaining({ code: 'idempotency_key_reuse' }) as Error,
    );
  });

  it('does not care what is left as it was before it could be said', async () => {
    await submit('k');
    expect((await submit('k', { includeTemp: false, outputsVia: undefined })).replayed).toBe(true);
  });

  it('does not care how a node is written, nor for API keys, which it does not keep', async () => {
    await submit('k', { outputNode: 1, extraData: { api_key_comfy_org: 'secret' } });
    expect((await submit('k', { outputNode: '1' })).replayed).toBe(true);
    expect(JSON.stringify(database.all('SELECT * FROM idempotency_keys'))).not.toContain('secret');
  });

  it('frees a key whose job failed for a reason that passes, or is forgotten', async () => {
    await submit('k');
    fail('job-0', false);
    expect((await submit('k')).replayed).toBe(true);
    fail('job-0', true);
    expect(await submit('k')).toMatchObject({ job: { id: 'job-1' }, replayed: false });
    jobs.delete('job-1');
    expect((await submit('k')).replayed).toBe(false);
  });

  it('keeps no key of a request that was refused', async () => {
    refused = new Error('full');
    await expect(submit('k')).rejects.toThrow('full');
    refused = undefined;
    expect((await submit('k', { priority: 5 })).replayed).toBe(false);
  });

  it.each([
    { where: 'in memory the newest', durable: false, oldest: undefined },
    { where: 'on a disk all of a day', durable: true, oldest: { key: '1' } },
  ])('remembers $where', async ({ durable, oldest }) => {
    Object.defineProperty(database, 'durable', { value: durable });
    database.run(
      `WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100500)
       INSERT INTO idempotency_keys SELECT 'old', i, '', '', ? + i FROM n`,
      Date.now() - HOUR_MS,
    );
    for (let index = 0; index < 1_000; index += 1) await submit(`new ${index}`);
    expect(database.get("SELECT key FROM idempotency_keys WHERE scope = 'old' AND key = '1'")).toEqual(
      oldest,
    );
    expect(await submit('new 0')).toMatchObject({ job: { id: 'job-0' }, replayed: true });
  });

  it('does not name the job of a key that somebody else may have chosen', async () => {
    await submit('k');
    await expect(submit('k', { priority: 1 })).rejects.toThrow(
      expect.objectContaining({ extras: {} }) as Error,
    );
  });

  it('takes what becomes of the images for a part of the request, and knows keys of before it was one', async () => {
    await submit('k');
    // As it was written by the release before.
    const kept = database.get("SELECT fingerprint FROM idempotency_keys WHERE key = 'k'");
    expect(kept).toEqual({ fingerprint: '5ur_WyqHGJiAUqmyAh2AjOMxkr7T7UpckudcT55pomQ' });
    await expect(submit('k', { convert: { format: 'webp' } })).rejects.toThrow(/another request/);
    await submit('c', { convert: { format: 'webp', quality: undefined } });
    expect((await submit('c', { convert: { format: 'webp' } })).replayed).toBe(true);
    await expect(submit('c', { convert: { format: 'avif' } })).rejects.toThrow(/another request/);
  });

  it('forgets a key after a day', async () => {
    await submit('k');
    vi.advanceTimersByTime(23.9 * HOUR_MS);
    expect((await submit('k')).replayed).toBe(true);
    vi.advanceTimersByTime(0.2 * HOUR_MS);
    expect((await submit('k')).replayed).toBe(false);
    await submit('another');
    expect(database.get('SELECT count(*) AS n FROM idempotency_keys')).toEqual({ n: 2 });
  });

  it('attaches what belongs to a job once, and to no other request', async () => {
    const written: string[] = [];
    const attachment = (url: string) => ({ decisive: { url }, write: (id: string) => void written.push(id) });
    const call = (key: string | undefined, url: string) =>
      idempotency.submitOnce(key, '', { workflow }, attachment(url));
    expect(await call('k', 'a')).toMatchObject({ job: { id: 'job-0' }, replayed: false });
    expect(await call('k', 'a')).toMatchObject({ job: { id: 'job-0' }, replayed: true });
    await expect(call('k', 'b')).rejects.toThrow(/another request/);
    await expect(submit('k')).rejects.toThrow(/another request/);
    await call(undefined, 'a');
    expect(written).toEqual(['job-0', 'job-1']);
  });

  it('takes what it took before there was anything to attach', async () => {
    await submit('k');
    const text =
      '{"allOutputs":false,"outputNode":null,"priority":0,' +
      '"workflow":{"1":{"class_type":"A","inputs":{"seed":18446744073709551615,"text":"x"}}}}';
    expect(database.get('SELECT fingerprint FROM idempotency_keys')).toEqual({
      fingerprint: createHash('sha256').update(text).digest('base64url'),
    });
  });
});
