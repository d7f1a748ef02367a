import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { OutboundError } from '../outbound/index.js';
import { StateDatabase, StateError } from '../state/index.js';
import { Courier, type CourierOptions } from './courier.js';
import { Poster } from './poster.js';
import { Receivers } from './receivers.spec-helper.js';
import { Signer } from './signer.js';
import { WebhookStore } from './webhook-store.js';

const SECRET = `whsec_${Buffer.from('s'.repeat(32)).toString('base64')}`;
const FAST = { schedule: [1, 1, 1, 1] };

let database: StateDatabase;
let store: WebhookStore;
let receivers: Receivers;
let couriers: Courier[];

beforeEach(async () => {
  database = await StateDatabase.open();
  store = new WebhookStore(database);
  receivers = new Receivers();
  couriers = [];
});

afterEach(async () => {
  vi.useRealTimers();
  vi.restoreAllMocks();
  await Promise.all(couriers.map((courier) => courier.stop(0)));
  database.close();
});

function start(options: CourierOptions = FAST): Courier {
  const courier = new Courier(
    store,
    new Poster(receivers, new Signer([{ secret: SECRET, receiver: undefined }])),
    options,
  );
  couriers.push(courier);
  courier.start();
  return courier;
}

/** The question that is asked each time. */
function nextDueSql(): string {
  const get = vi.spyOn(database, 'get').mockReturnValueOnce(undefined);
  store.nextDue(0, { ids: [], jobs: [], hosts: [] });
  return get.mock.calls[0]?.[0] ?? '';
}

/** A delivery that is due. */
function write(job: string, url = 'https://a.example/hook?token=1'): void {
  store.subscribe(job, url, ['job.succeeded']);
  const body = JSON.stringify({ type: 'job.succeeded', data: { job_id: job } });
  store.end({ job, url, events: [], progress: null }, { event: 'job.succeeded', body });
}

const stateOf = (job: string) => store.ofJob(job)[0];
const statusOf = (job: string) => stateOf(job)?.status;

describe('Courier', () => {
  it('tries until it is taken, with the same id', async () => {
    write('a');
    receivers.rule = () => (receivers.calls.length < 4 ? 503 : 204);
    start();
    await expect.poll(() => statusOf('a')).toBe('delivered');
    expect(receivers.calls).toHaveLength(4);
    expect(new Set(receivers.calls.map(({ id }) => id))).toEqual(new Set([stateOf('a')?.id]));
    expect(stateOf('a')).toMatchObject({ attempts: 4, lastStatus: 204, lastError: null, due: null });
  });

  it.each([
    ['a redirect', 302, { lastStatus: 302 }],
    ['a refusal', 404, { lastStatus: 404 }],
    ['no connection', new OutboundError('unreachable', ''), { lastStatus: null, lastError: 'unreachable' }],
    [
      'an answer that breaks off',
      new OutboundError('unreachable', '', 200),
      { lastStatus: 200, lastError: 'unreachable' },
    ],
    [
      'an address that is not allowed any more',
      new OutboundError('not_allowed', ''),
      { lastError: 'not_allowed' },
    ],
  ])('tries again after %s', async (_, outcome, seen) => {
    write('a');
    start({ schedule: [60_000] });
    await expect.poll(() => receivers.calls.length).toBe(1);
    receivers.calls[0]?.answer(outcome);
    await expect.poll(() => stateOf('a')?.attempts).toBe(1);
    expect(stateOf('a')).toMatchObject({ status: 'pending', ...seen });
    const pause = (stateOf('a')?.due ?? 0) - (stateOf('a')?.lastAt ?? 0);
    expect(pause).toBeGreaterThan(40_000);
    expect(pause).toBeLessThan(80_000);
  });

  it.each([
    ['120', 120_000],
    ['86400', 3_600_000],
    ['1', 10_000],
    ['soon', 10_000],
  ])('waits as long as the receiver wants, within bounds: %s', async (header, atLeast) => {
    write('a');
    start({ schedule: [12_500] });
    await expect.poll(() => receivers.calls.length).toBe(1);
    receivers.calls[0]?.answer(429, { 'retry-after': header });
    await expect.poll(() => stateOf('a')?.attempts).toBe(1);
    const pause = (stateOf('a')?.due ?? 0) - (stateOf('a')?.lastAt ?? 0);
    expect(pause).toBeGreaterThanOrEqual(atLeast - 100);
    expect(pause).toBeLessThanOrEqual(Math.max(atLeast, 15_000) + 100);
  });

  it('gives up after the last try, and starts anew when it is told to', async () => {
    write('a');
    receivers.rule = () => 500;
    const courier = start();
    await expect.poll(() => statusOf('a')).toBe('dead');
    expect(receivers.calls).toHaveLength(5);
    receivers.rule = () => (receivers.calls.length < 8 ? 500 : 200);
    expect(store.again(stateOf('a')?.id ?? '')).toBe(true);
    courier.wake();
    await expect.poll(() => statusOf('a')).toBe('delivered');
    expect(stateOf('a')).toMatchObject({ attempts: 8, tries: 3 });
  });

  it('gives up at once where the receiver is gone', async () => {
    write('a');
    receivers.rule = () => 410;
    start();
    await expect.poll(() => statusOf('a')).toBe('dead');
    expect(receivers.calls).toHaveLength(1);
  });

  it('sends nothing of a job before what came earlier is through', async () => {
    write('a');
    write('b');
    const row = store.ofJob('a')[0];
    database.run(
      `INSERT INTO webhook_deliveries (id, job, event, url, host, body, status, attempts, tries, due, created)
       VALUES ('second', 'a', 'job.failed', ?, ?, ?, 'pending', 0, 0, 0, 0)`,
      row?.url ?? '',
      row?.host ?? '',
      row?.body ?? '',
    );
    start({ schedule: [5] });
    await expect.poll(() => receivers.calls.length).toBe(2);
    expect(receivers.calls.map(({ data }) => data.job_id)).toEqual(['a', 'b']);
    receivers.calls[0]?.answer(500);
    receivers.calls[1]?.answer(200);
    await expect.poll(() => receivers.calls.length).toBe(3);
    expect(receivers.calls[2]?.id).toBe(row?.id);
    receivers.calls[2]?.answer(500);
    await expect.poll(() => receivers.calls.length).toBe(4);
    expect(store.ofJob('a').map(({ status }) => status)).toEqual(['dead', 'pending']);
    expect(receivers.calls[3]?.id).toBe('second');
    receivers.calls[3]?.answer(200);
  });

  it('waits for what of a job goes another way', async () => {
    write('a');
    let busy = ['a'];
    const courier = start({ ...FAST, busyJobs: () => busy });
    write('b');
    courier.wake();
    await expect.poll(() => receivers.calls.map(({ data }) => data.job_id)).toEqual(['b']);
    busy = [];
    courier.wake();
    await expect.poll(() => receivers.calls.map(({ data }) => data.job_id)).toEqual(['b', 'a']);
  });

  it('lets a receiver that hangs hold up nobody else, and calls it little once it has failed', async () => {
    for (let index = 0; index < 50; index += 1) write(`slow ${index}`, 'https://slow.example/');
    for (let index = 0; index < 20; index += 1) write(`good ${index}`, `https://good.example:${index + 1}/`);
    receivers.rule = ({ url }) => (url.includes('good') ? 200 : undefined);
    start();
    await expect.poll(() => statusOf('good 19')).toBe('delivered');
    expect(receivers.waiting).toBe(4);
    for (const call of receivers.calls.filter(({ url }) => url.includes('slow'))) call.answer(504);
    await expect.poll(() => receivers.waiting).toBe(1);
  });

  it('has no more than its number under way', async () => {
    for (let index = 0; index < 50; index += 1) write(`${index}`, `https://${index}.example/`);
    start();
    await expect.poll(() => receivers.waiting).toBe(16);
    receivers.rule = () => 200;
    receivers.calls[3]?.answer(200);
    await expect.poll(() => receivers.calls.length).toBe(50);
    expect(receivers.waiting).toBe(15);
  });

  it('leaves what is under way to the next process', async () => {
    write('a');
    const courier = start();
    await expect.poll(() => receivers.calls.length).toBe(1);
    await courier.stop(0);
    expect(stateOf('a')).toMatchObject({ status: 'pending', attempts: 0 });
    receivers.rule = () => 200;
    start();
    await expect.poll(() => statusOf('a')).toBe('delivered');
    expect(receivers.calls.map(({ id }) => id)).toEqual([stateOf('a')?.id, stateOf('a')?.id]);
  });

  it('lets what is under way end, for a moment', async () => {
    write('a');
    const courier = start();
    await expect.poll(() => receivers.calls.length).toBe(1);
    const stopped = courier.stop(10_000);
    receivers.calls[0]?.answer(200);
    await stopped;
    expect(statusOf('a')).toBe('delivered');
  });

  it('misses nothing that becomes due while it looks', async () => {
    write('a');
    const { due } = stateOf('a') ?? {};
    vi.useFakeTimers({ toFake: ['Date'], now: (due ?? 0) - 1 });
    const nextDue = store.nextDue.bind(store);
    vi.spyOn(store, 'nextDue').mockImplementationOnce((now, except) => {
      const found = nextDue(now, except);
      vi.setSystemTime(due ?? 0);
      return found;
    });
    receivers.rule = () => 200;
    start();
    await expect.poll(() => statusOf('a')).toBe('delivered');
  });

  it('sends what is due before it stops', async () => {
    const courier = start();
    receivers.rule = () => 200;
    write('a');
    await courier.stop(10_000);
    expect(statusOf('a')).toBe('delivered');
  });

  it('does not send again what it cannot write down', async () => {
    write('a');
    const taken = vi.spyOn(store, 'taken').mockImplementationOnce(() => {
      throw new StateError('full', undefined);
    });
    receivers.rule = () => 200;
    start();
    await expect.poll(() => statusOf('a'), { timeout: 5_000 }).toBe('delivered');
    expect(taken).toHaveBeenCalledTimes(2);
    expect(receivers.calls).toHaveLength(1);
  });
});

describe('WebhookStore', () => {
  it('writes the delivery of an end once', () => {
    write('a');
    const subscription = store.subscription('a');
    if (subscription !== undefined) store.end(subscription, { event: 'job.failed', body: '{}' });
    expect(store.ofJob('a')).toHaveLength(1);
    expect(store.unended()).toEqual([]);
  });

  it('finds what is due by its index, and does not compare each with all others', () => {
    const plan = database
      .all<{ detail: string }>(`EXPLAIN QUERY PLAN ${nextDueSql()}`, 0, '[]', '[]', '[]')
      .map(({ detail }) => detail)
      .join('\n');
    expect(plan).toMatch(/SEARCH this USING INDEX webhook_deliveries_due \(due<\?\)/);
    expect(plan).toMatch(/SEARCH earlier USING .*INDEX webhook_deliveries_by_job \(job=\? AND number<\?\)/);
    expect(plan).not.toContain('TEMP B-TREE FOR ORDER BY');
  });

  it('lists by status, page by page', () => {
    for (const job of ['a', 'b', 'c']) write(job);
    store.refused(stateOf('b')?.id ?? '', { status: 500, error: undefined }, undefined);
    expect(store.list({ status: 'dead', limit: 5 })).toMatchObject({
      deliveries: [{ job: 'b' }],
      next: undefined,
    });
    const { deliveries, next } = store.list({ limit: 2 });
    expect(deliveries.map(({ job }) => job)).toEqual(['c', 'b']);
    expect(store.list({ limit: 2, before: next })).toMatchObject({
      deliveries: [{ job: 'a' }],
      next: undefined,
    });
  });

  it('keeps a thousand settled in memory, and all that wait', () => {
    write('waits');
    for (let index = 0; index < 1_100; index += 1) {
      write(`${index}`);
      store.taken(stateOf(`${index}`)?.id ?? '', { status: 200, error: undefined });
    }
    database.run('UPDATE webhook_deliveries SET settled = number WHERE settled IS NOT NULL');
    database.run('UPDATE webhooks SET ended = CAST(job AS INTEGER)');
    store.sweep(undefined);
    expect(statusOf('waits')).toBe('pending');
    expect(store.subscription('waits')).toBeDefined();
    expect([statusOf('99'), statusOf('100')]).toEqual([undefined, 'delivered']);
    expect(store.subscription('99')).toBeUndefined();
    expect(database.get('SELECT COUNT(*) AS n FROM webhook_deliveries')).toEqual({ n: 1_001 });
  });
});
