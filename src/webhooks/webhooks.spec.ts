import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EMPTY, Observable, Subject } from 'rxjs';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type ComfyService, isFinal, type JobState, type JobUpdate } from '../comfy/index.js';
import { ProblemException } from '../problem/index.js';
import { StateDatabase, StateError } from '../state/index.js';
import { Receivers } from './receivers.spec-helper.js';
import { MAX_OUTSTANDING, type WebhookFields, Webhooks } from './webhooks.js';
import type { WebhooksOptions } from './webhooks.module-definition.js';

const secretOf = (letter: string) => `whsec_${Buffer.from(letter.repeat(32)).toString('base64')}`;
const SECRETS = [{ secret: secretOf('s'), receiver: undefined }];
const URL_OF_A = 'https://a.example/hook?token=1';

/** The engine, as far as it matters here. */
class Engine {
  readonly submitted$ = new Subject<JobState>();
  private readonly jobs = new Map<string, { state: JobState; updates: Subject<JobUpdate> }>();
  watchers = 0;

  submit(id: string): void {
    const state: JobState = { id, status: 'running', times: { created: 1 }, attempts: [], outputs: [] };
    this.jobs.set(id, { state, updates: new Subject() });
    this.submitted$.next(state);
  }

  forget(id: string): void {
    this.jobs.delete(id);
  }

  find = (id: string) => this.jobs.get(id)?.state;

  watch(id: string): Observable<JobUpdate> {
    const job = this.jobs.get(id);
    if (job === undefined) return EMPTY;
    return new Observable((subscriber) => {
      subscriber.next({ state: job.state });
      this.watchers += 1;
      const subscription = job.updates.subscribe(subscriber);
      return () => {
        this.watchers -= 1;
        subscription.unsubscribe();
      };
    });
  }

  apply(id: string, change: Partial<JobState>, event?: JobUpdate['event']): void {
    const job = this.jobs.get(id);
    if (job === undefined) return;
    job.state = { ...job.state, ...change };
    job.updates.next({ state: job.state, ...(event === undefined ? {} : { event }) });
    if (isFinal(job.state)) job.updates.complete();
  }

  end(id: string, status: JobState['status'] = 'succeeded'): void {
    this.apply(id, { status, times: { created: 1, finished: 2 } });
  }

  progress(id: string, value: number): void {
    const progress = { value, node: '3', class: 'K', step: 1, steps: 2, nodesDone: 1, nodesTotal: 3 };
    this.apply(id, { progress }, { type: 'progress', progress });
  }
}

let folder: string | undefined;
let database: StateDatabase;
let engine: Engine;
let receivers: Receivers;
let webhooks: Webhooks;

beforeEach(async () => {
  folder = undefined;
  database = await StateDatabase.open();
  engine = new Engine();
  receivers = new Receivers();
  receivers.rule = () => 200;
  webhooks = start();
});

afterEach(async () => {
  vi.restoreAllMocks();
  await webhooks.onApplicationShutdown();
  database.close();
  if (folder !== undefined) await rm(folder, { recursive: true });
});

function start(
  options: WebhooksOptions = { secrets: SECRETS, scheduleMs: [1, 1], shutdownGraceMs: 0 },
): Webhooks {
  const service = new Webhooks(engine as unknown as ComfyService, database, receivers, options);
  service.onApplicationBootstrap();
  return service;
}

/** Another process, which finds what the first left. */
async function restart(options?: WebhooksOptions): Promise<void> {
  await webhooks.onApplicationShutdown();
  webhooks = start(options);
}

function submit(id: string, fields: WebhookFields = { webhook_url: URL_OF_A }): void {
  database.transaction(() => webhooks.attach(fields)?.write(id));
  engine.submit(id);
}

const told = () => receivers.calls.map(({ type, data }) => [data.job_id, type]);
const statusOf = (job: string) => webhooks.viewOf(job)?.deliveries.map(({ status }) => status);

function codeOf(fields: WebhookFields): string | undefined {
  try {
    webhooks.attach(fields)?.write('x');
    return undefined;
  } catch (error) {
    return error instanceof ProblemException ? `${error.code}: ${error.detail}` : String(error);
  }
}

describe('Webhooks', () => {
  it('tells the end of a job once', async () => {
    submit('a');
    submit('b');
    engine.end('a');
    engine.end('b', 'cancelled');
    await expect.poll(() => [statusOf('a'), statusOf('b')]).toEqual([['delivered'], ['delivered']]);
    expect(told()).toEqual([
      ['a', 'job.succeeded'],
      ['b', 'job.cancelled'],
    ]);
    expect(engine.watchers).toBe(0);
  });

  it('tells what is wanted only', async () => {
    submit('a', { webhook_url: URL_OF_A, webhook_events: ['job.failed'] });
    submit('b', { webhook_url: URL_OF_A, webhook_events: ['job.failed'] });
    engine.progress('b', 0.5);
    engine.end('a');
    engine.end('b', 'failed');
    await expect.poll(() => statusOf('b')).toEqual(['delivered']);
    expect(told()).toEqual([['b', 'job.failed']]);
    expect(statusOf('a')).toEqual([]);
  });

  it('shows how it goes, and no token', async () => {
    receivers.rule = () => undefined;
    submit('a');
    expect(webhooks.viewOf('a')).toEqual({
      url: 'https://a.example/hook',
      events: ['job.succeeded', 'job.failed', 'job.cancelled'],
      deliveries: [],
    });
    engine.end('a');
    await expect.poll(() => receivers.calls.length).toBe(1);
    receivers.calls[0]?.answer(500);
    await expect.poll(() => receivers.calls.length).toBe(2);
    expect(webhooks.viewOf('a')?.deliveries).toEqual([
      {
        id: receivers.calls[0]?.id,
        event: 'job.succeeded',
        status: 'pending',
        attempts: 1,
        last_status: 500,
        last_error: null,
        last_at: expect.any(String) as string,
        next_at: expect.any(String) as string,
      },
    ]);
    expect(webhooks.viewOf('other')).toBeUndefined();
  });

  it('tells after a restart what ended without a word, of the jobs that are gone too', async () => {
    for (const id of ['ended', 'gone', 'runs']) submit(id);
    submit('gone, and nobody asked for failures', {
      webhook_url: URL_OF_A,
      webhook_events: ['job.succeeded'],
    });
    await webhooks.onApplicationShutdown();
    engine.end('ended', 'failed');
    for (const id of ['gone', 'gone, and nobody asked for failures']) engine.forget(id);
    webhooks = start();
    await expect.poll(() => [statusOf('ended'), statusOf('gone')]).toEqual([['delivered'], ['delivered']]);
    expect([...told()].sort(([a = ''], [b = '']) => a.localeCompare(b))).toEqual([
      ['ended', 'job.failed'],
      ['gone', 'job.failed'],
    ]);
    expect(receivers.calls.find(({ data }) => data.job_id === 'gone')?.data.error?.code).toBe('not_found');
    engine.end('runs');
    await expect.poll(() => statusOf('runs')).toEqual(['delivered']);
    await restart();
    await restart();
    expect(receivers.calls).toHaveLength(3);
  });

  it('goes on with its tries after a restart', async () => {
    receivers.rule = () => undefined;
    submit('a');
    engine.end('a');
    await expect.poll(() => receivers.calls.length).toBe(1);
    receivers.calls[0]?.answer(500);
    await expect.poll(() => receivers.calls.length).toBe(2);
    receivers.rule = () => 200;
    await restart();
    await expect.poll(() => statusOf('a')).toEqual(['delivered']);
    expect(new Set(receivers.calls.map(({ id }) => id)).size).toBe(1);
    expect(webhooks.viewOf('a')?.deliveries[0]?.attempts).toBe(2);
  });

  it('writes an end down as soon as that can be done', async () => {
    submit('a');
    const transaction = vi.spyOn(database, 'transaction').mockImplementationOnce(() => {
      throw new StateError('full', undefined);
    });
    engine.end('a');
    submit('b');
    engine.end('b');
    await expect
      .poll(() => [statusOf('a'), statusOf('b')], { timeout: 5_000 })
      .toEqual([['delivered'], ['delivered']]);
    expect(transaction).toHaveBeenCalled();
  });

  it('sends again what an operator wants, taken or not', async () => {
    receivers.rule = () => 500;
    submit('a');
    engine.end('a');
    await expect.poll(() => statusOf('a')).toEqual(['dead']);
    receivers.rule = () => 200;
    const [dead] = webhooks.list({ status: 'dead', limit: 10 }).deliveries;
    expect(webhooks.resend(dead?.id ?? '')).toMatchObject({ status: 'pending', attempts: 3 });
    await expect.poll(() => statusOf('a')).toEqual(['delivered']);
    webhooks.resend(dead?.id ?? '');
    await expect.poll(() => receivers.calls.length).toBe(5);
    expect(webhooks.resend('msg_unknown')).toBeUndefined();
  });

  it('refuses what it could not keep', async () => {
    expect(codeOf({})).toBeUndefined();
    expect(codeOf({ webhook_url: null, webhook_events: null })).toBeUndefined();
    expect(codeOf({ webhook_events: ['job.failed'] })).toMatch(/^invalid_request: webhook_events: /);
    expect(codeOf({ webhook_url: 'http://private' })).toBe(
      'invalid_request: webhook_url: is no address that may be called',
    );
    await restart({});
    expect(codeOf({ webhook_url: URL_OF_A })).toMatch(/^webhooks_off: .*WEBHOOK_SECRETS/);
    await restart({ secrets: [{ secret: secretOf('b'), receiver: 'https://b.example/' }] });
    expect(codeOf({ webhook_url: URL_OF_A })).toMatch(/^webhooks_off: .*receiver.*WEBHOOK_SECRETS/);
    expect(database.get('SELECT COUNT(*) AS n FROM webhooks')).toEqual({ n: 0 });
    expect(codeOf({ webhook_url: 'https://b.example/hook' })).toBeUndefined();
  });

  it('promises no more than its number', async () => {
    const fields = { webhook_url: URL_OF_A };
    database.transaction(() => {
      for (let index = 1; index < MAX_OUTSTANDING.inMemory; index += 1)
        webhooks['store'].subscribe(`${index}`, URL_OF_A, ['job.failed']);
    });
    submit('last');
    expect(codeOf(fields)).toMatch(/^webhooks_full: /);
    engine.end('last');
    await expect.poll(() => statusOf('last')).toEqual(['delivered']);
    expect(codeOf(fields)).toBeUndefined();
  });

  it('keeps what is owed while it has no secrets', async () => {
    submit('a');
    await restart({});
    engine.end('a');
    expect(statusOf('a')).toEqual(['pending']);
    expect(receivers.calls).toEqual([]);
    await restart();
    await expect.poll(() => statusOf('a')).toEqual(['delivered']);
  });

  it('sends nothing unsigned to a receiver whose secret is gone', async () => {
    submit('a');
    await restart({
      secrets: [{ secret: secretOf('b'), receiver: 'https://b.example/' }],
      scheduleMs: [600_000],
    });
    engine.end('a');
    await expect.poll(() => webhooks.viewOf('a')?.deliveries[0]?.last_error).toBe('not_allowed');
    expect(receivers.calls).toEqual([]);
    await restart();
    webhooks.resend(webhooks.list({ limit: 1 }).deliveries[0]?.id ?? '');
    await expect.poll(() => statusOf('a')).toEqual(['delivered']);
  });

  it('keeps on a disk what is younger than its retention', async () => {
    folder = await mkdtemp(join(tmpdir(), 'webhooks-'));
    await webhooks.onApplicationShutdown();
    database.close();
    database = await StateDatabase.open(folder);
    webhooks = start({ secrets: SECRETS, retentionMs: 3_600_000 });
    for (const id of ['old', 'new']) {
      submit(id);
      engine.end(id);
    }
    await expect.poll(() => [statusOf('old'), statusOf('new')]).toEqual([['delivered'], ['delivered']]);
    database.run("UPDATE webhook_deliveries SET settled = 1 WHERE job = 'old'");
    database.run("UPDATE webhooks SET ended = 1 WHERE job = 'old'");
    await restart({ secrets: SECRETS, retentionMs: 3_600_000 });
    expect([webhooks.viewOf('old'), statusOf('new')]).toEqual([undefined, ['delivered']]);
  });
});

describe('progress', () => {
  const all: WebhookFields = { webhook_url: URL_OF_A, webhook_events: ['job.progress', 'job.succeeded'] };
  const values = () => receivers.calls.map(({ type, data }) => data.progress?.value ?? type);

  it('is told as it is newest, and not again', async () => {
    receivers.rule = () => undefined;
    submit('a', all);
    for (const value of [0.1, 0.2, 0.3]) engine.progress('a', value);
    expect(values()).toEqual([0.1]);
    receivers.calls[0]?.answer(500);
    await expect.poll(values, { timeout: 5_000 }).toEqual([0.1, 0.3]);
    expect(webhooks.viewOf('a')?.deliveries[0]).toMatchObject({
      id: null,
      event: 'job.progress',
      status: 'dead',
      attempts: 1,
      last_status: 500,
    });
    receivers.calls[1]?.answer(200);
    await expect.poll(() => statusOf('a')).toEqual(['delivered']);
  });

  it('is dropped at the end, which waits for what is on its way', async () => {
    receivers.rule = () => undefined;
    submit('a', all);
    submit('b');
    engine.progress('a', 0.1);
    engine.progress('a', 0.2);
    engine.end('a');
    engine.end('b');
    await expect.poll(() => told()).toContainEqual(['b', 'job.succeeded']);
    expect(values()).toEqual([0.1, 'job.succeeded']);
    receivers.calls[0]?.answer(200);
    await expect.poll(values).toEqual([0.1, 'job.succeeded', 'job.succeeded']);
    expect(told()[2]).toEqual(['a', 'job.succeeded']);
    for (const call of receivers.calls.slice(1)) call.answer(200);
    await expect.poll(() => statusOf('a')).toEqual(['delivered', 'delivered']);
    await restart();
    expect(webhooks.viewOf('a')?.deliveries[0]).toMatchObject({ event: 'job.progress', attempts: 1 });
  });

  it('holds up no other job', () => {
    receivers.rule = () => undefined;
    for (let index = 0; index < 20; index += 1) {
      const url = `https://${index < 10 ? 'slow' : `fast${index}`}.example/`;
      submit(`${index}`, { ...all, webhook_url: url });
      engine.progress(`${index}`, 0.5);
    }
    const hosts = receivers.calls.map(({ url }) => new URL(url).host);
    expect(hosts.filter((host) => host === 'slow.example')).toHaveLength(2);
    expect(hosts).toHaveLength(8);
  });
});
