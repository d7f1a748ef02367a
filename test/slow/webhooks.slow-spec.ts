import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { type AddressInfo, connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Webhook } from 'standardwebhooks';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ComfyStandin } from '../comfyui/index.js';
import { Fleet, SOON } from '../e2e/support/backends.js';
import { type GatewayOptions, readProblem } from '../e2e/support/gateway.js';
import { expectContract } from '../e2e/support/official-sdk.js';
import { type Manner, Receiver, SECRET } from '../e2e/support/receiver.js';
import { Service } from '../e2e/support/service.js';
import { failing, picture, slow } from '../e2e/support/workflows.js';

/** One pixel. */
const PNG = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==',
  'base64',
);

const LONG = { interval: 20, timeout: 25_000 };
const ENV = { WEBHOOK_SECRETS: SECRET, FETCH_ALLOW_HOSTS: '127.0.0.1:*' };

interface JobWebhook {
  url: string;
  events: string[];
  deliveries: {
    id: string | null;
    event: string;
    status: string;
    attempts: number;
    last_status: number | null;
    last_error: string | null;
    last_at: string | null;
    next_at: string | null;
  }[];
}

/** What of its headers belongs to a message. */
const pick = (headers: Record<string, string>) =>
  Object.fromEntries(Object.entries(headers).filter(([name]) => /^(webhook-|content-type)/.test(name)));

let receiver: Receiver;
let fleet: Fleet | undefined;

beforeEach(async () => {
  receiver = await Receiver.start();
});

afterEach(async () => {
  await fleet?.stop();
  fleet = undefined;
  await receiver.stop();
});

async function start(
  scheduleMs: number[] = [20, 20, 20, 20, 20, 20, 20, 20, 20, 20],
  { env, ...options }: GatewayOptions = {},
): Promise<Fleet> {
  fleet = await Fleet.start([{}], {
    ...options,
    env: { ...ENV, ...env },
    adjust: (settings) => {
      settings.webhooks = { ...settings.webhooks, scheduleMs, tryMs: 300 };
    },
  });
  return fleet;
}

const gateway = () => fleet?.gateway ?? expect.fail('there is no gateway');

/** A job whose end the receiver is told; @returns its id */
async function submit(workflow: unknown, more: Record<string, unknown> = {}): Promise<string> {
  const body = { workflow_data: workflow, output_node_id: 277, webhook_url: receiver.url, ...more };
  const response = await gateway().post('/api/generate', body, { headers: { prefer: 'respond-async' } });
  const reply = (await response.json()) as { job_id: string };
  expect(response.status, JSON.stringify(reply)).toBe(202);
  return reply.job_id;
}

async function getJson<T>(path: string, headers: Record<string, string> = {}): Promise<T> {
  const { bytes } = await gateway().fetch(path, { headers });
  return JSON.parse(bytes.toString()) as T;
}

const webhookOf = async (job: string) =>
  (await getJson<{ webhook?: JobWebhook }>(`/api/v2/jobs/${job}`)).webhook;
const statusOf = async (job: string) => (await webhookOf(job))?.deliveries.at(-1)?.status;
const jobs = async () => (await getJson<{ jobs: unknown[] }>('/api/v2/jobs')).jobs.length;

describe('a receiver', () => {
  it('is told of the result, with links that work', async () => {
    await start(undefined, { env: { SERVER_BASE_URL: 'https://pictures.example.com' } });
    const job = await submit(picture({ batch: 2 }));
    await expect.poll(() => receiver.of(job), SOON).toHaveLength(1);
    const [message] = receiver.of(job);
    expect(message).toMatchObject({
      type: 'job.succeeded',
      data: {
        job_id: job,
        job_url: `https://pictures.example.com/api/generate/${job}`,
        status: 'succeeded',
        attempts: 1,
        timings: { total_ms: expect.any(Number) as number },
      },
    });
    const reply = await getJson<{ outputs: unknown[] }>(`/api/generate/${job}`);
    expect(message?.data.outputs).toEqual(reply.outputs);
    expect(reply.outputs).toHaveLength(2);
    const url = message?.data.outputs?.[0]?.url ?? '';
    expect(url).toMatch(/^https:\/\/pictures\.example\.com\/output_images\//);
    expect((await gateway().fetch(new URL(url).pathname)).status).toBe(200);
    expect(receiver.received[0]?.headers['content-type']).toBe('application/json');
  });

  it('is told of failures and cancels, whichever face they came through', async () => {
    await start();
    const failed = await submit(failing('ValueError'));
    const response = await gateway().post('/api/v2/jobs', {
      workflow: slow({ steps: 500 }),
      webhook_url: receiver.url,
    });
    await expectContract('POST', response.url, response);
    const { id: cancelled } = (await response.json()) as { id: string };
    await gateway().post(`/api/v2/jobs/${cancelled}/cancel`, {});
    await expect
      .poll(() => [receiver.of(failed).length, receiver.of(cancelled).length], SOON)
      .toEqual([1, 1]);
    expect(receiver.of(failed)[0]).toMatchObject({
      type: 'job.failed',
      data: { status: 'failed', error: { code: 'node_execution_error', node_errors: { '2': {} } } },
    });
    expect(receiver.of(cancelled)[0]).toMatchObject({
      type: 'job.cancelled',
      data: { status: 'cancelled', error: { code: 'cancelled' } },
    });
  });

  it('that fails, hangs, redirects and lies gets everything once it works, in order, and well signed', async () => {
    await start();
    const manners: Manner[] = [500, 'hang', 'redirect', 'break', 'short', 'endless', 'slam', 429, 302];
    const left = new Map<string, Manner[]>();
    receiver.manner = ({ id, message }) => {
      if (message.type === 'job.progress') return 200;
      // Each delivery meets them in another order.
      const from = left.size % manners.length;
      const mine = left.get(id) ?? [...manners.slice(from), ...manners.slice(0, from)];
      left.set(id, mine);
      return mine.shift() ?? 200;
    };
    const ids = await Promise.all(
      Array.from({ length: 9 }, () =>
        submit(slow({ steps: 5 }), { webhook_events: ['job.progress', 'job.succeeded'] }),
      ),
    );
    await expect
      .poll(() => ids.filter((id) => receiver.of(id).at(-1)?.type === 'job.succeeded').length, LONG)
      .toBe(9);
    expect(receiver.forged).toEqual([]);
    expect(receiver.strayed).toEqual([]);
    for (const id of ids) {
      const messages = receiver.received.filter(({ message }) => message.data.job_id === id);
      const ends = messages.filter(({ message }) => message.type === 'job.succeeded');
      expect(ends.map(({ manner }) => manner)).toHaveLength(10);
      expect(ends.at(-1)?.manner).toBe(200);
      // One delivery, whose bytes and id stay, in whichever second it is tried.
      expect(new Set(ends.map((end) => `${end.id} ${end.body}`)).size).toBe(1);
      // What happened first was told first.
      expect(messages.slice(0, -10).map(({ message }) => message.type)).toEqual(
        messages.slice(10).map(() => 'job.progress'),
      );
      await expect.poll(() => statusOf(id), SOON).toBe('delivered');
      expect((await webhookOf(id))?.deliveries.at(-1)).toMatchObject({
        event: 'job.succeeded',
        attempts: 10,
        last_status: 200,
        last_error: null,
        next_at: null,
      });
    }
  });

  it('that cannot be reached is called again', async () => {
    await start([100, 100, 100, 100, 100, 100, 100]);
    const dead = await Receiver.start();
    await dead.stop();
    const job = await submit(picture(), { webhook_url: `${dead.origin}/hook` });
    await expect
      .poll(async () => (await webhookOf(job))?.deliveries[0]?.last_error, SOON)
      .toBe('unreachable');
    expect(await statusOf(job)).toBe('pending');
  });

  it('learns how far a job is, and last that it has ended', async () => {
    await start();
    const job = await submit(slow({ steps: 60, delayMs: 50 }), {
      webhook_events: ['job.succeeded', 'job.progress'],
    });
    await expect.poll(() => receiver.of(job).at(-1)?.type, LONG).toBe('job.succeeded');
    const progress = receiver.of(job).slice(0, -1);
    // Once a second at most: the job has sixty steps in three seconds.
    expect(progress.length).toBeGreaterThan(1);
    expect(progress.length).toBeLessThan(10);
    const values = progress.map(({ data }) => data.progress?.value ?? -1);
    expect(values).toEqual([...values].sort((a, b) => a - b));
    expect(values.every((value) => value >= 0 && value <= 1)).toBe(true);
    expect(new Set(receiver.received.map(({ id }) => id)).size).toBe(receiver.received.length);
    expect((await webhookOf(job))?.deliveries.map(({ event, status }) => [event, status])).toEqual([
      ['job.progress', 'delivered'],
      ['job.succeeded', 'delivered'],
    ]);
  });

  it('can check with each key while they are changed', async () => {
    const fresh = `whsec_${randomBytes(32).toString('base64')}`;
    await start(undefined, { env: { WEBHOOK_SECRETS: `${fresh},${SECRET}` } });
    const job = await submit(picture());
    await expect.poll(() => receiver.of(job), SOON).toHaveLength(1);
    const { body, headers } = receiver.received[0] ?? expect.fail('nothing came');
    for (const key of [fresh, SECRET]) {
      const own = new Webhook(receiver.secretFor('/hook', key));
      expect(own.verify(body, headers)).toMatchObject({ type: 'job.succeeded' });
    }
    expect(headers['webhook-signature']?.split(' ')).toHaveLength(2);
  });

  it('gets nothing that verifies at another receiver, however it is sent on', async () => {
    await start();
    const attacker = await Receiver.start();
    try {
      const job = await submit(picture(), { webhook_url: attacker.url });
      await expect.poll(() => attacker.of(job), SOON).toHaveLength(1);
      const { body: sent = '', headers = {} } = attacker.received[0] ?? {};
      // The message, and what the attacker knows of secrets, at the victim.
      const passedOn = await fetch(receiver.url, {
        method: 'POST',
        body: sent,
        headers: { ...pick(headers) },
      });
      expect(passedOn.status).toBe(401);
      for (const path of ['/hook', '/hook/2', '/']) {
        expect(() => new Webhook(receiver.secretFor(path)).verify(sent, headers)).toThrow();
      }
      expect(() => new Webhook(SECRET).verify(sent, headers)).toThrow();
      expect(receiver.received).toEqual([]);
    } finally {
      await attacker.stop();
    }
  });

  it('may have a secret of its own, bound to its address', async () => {
    const own = `whsec_${randomBytes(32).toString('base64')}`;
    await start(undefined, { env: { WEBHOOK_SECRETS: `${receiver.origin}=${own}, ${SECRET}` } });
    const other = await Receiver.start();
    try {
      const jobs = [await submit(picture()), await submit(picture(), { webhook_url: other.url })];
      await expect.poll(() => [receiver.received.length, other.received.length], SOON).toEqual([1, 1]);
      const bound = receiver.received[0];
      expect(new Webhook(own).verify(bound?.body ?? '', bound?.headers ?? {})).toMatchObject({
        data: { job_id: jobs[0] },
      });
      const { body: sent = '', headers = {} } = other.received[0] ?? {};
      expect(() => new Webhook(own).verify(sent, headers)).toThrow();
    } finally {
      await other.stop();
    }
  });

  it('is told of a job whose caller has hung up', async () => {
    await start();
    const hangUp = new AbortController();
    const body = { workflow_data: slow({ steps: 20 }), output_node_id: 277, webhook_url: receiver.url };
    const call = gateway().post('/api/generate_file', body, { signal: hangUp.signal });
    call.catch(() => undefined);
    await expect.poll(() => fleet?.at(0).queue.running.length, SOON).toBe(1);
    hangUp.abort();
    await expect.poll(() => receiver.taken.map(({ type }) => type), SOON).toEqual(['job.succeeded']);
  });
});

describe('a job', () => {
  it('shows how its webhook goes, without the token', async () => {
    await start([50, 600_000]);
    receiver.manners = [503, 'slam'];
    const job = await submit(slow({ steps: 20 }));
    const pending = await getJson<{ status: string; webhook?: JobWebhook }>(`/api/generate/${job}`);
    expect(pending.webhook).toEqual({
      url: `${receiver.origin}/hook`,
      events: ['job.succeeded', 'job.failed', 'job.cancelled'],
      deliveries: [],
    });
    await expect.poll(async () => (await webhookOf(job))?.deliveries[0]?.attempts, SOON).toBe(2);
    const response = await fetch(`${gateway().url}/api/v2/jobs/${job}`);
    await expectContract('GET', response.url, response);
    const text = await response.text();
    expect(text).not.toContain('secret-token');
    const { webhook } = JSON.parse(text) as { webhook: JobWebhook };
    expect(webhook.deliveries).toEqual([
      {
        id: receiver.received[0]?.id,
        event: 'job.succeeded',
        status: 'pending',
        attempts: 2,
        last_status: null,
        last_error: 'unreachable',
        last_at: expect.any(String) as string,
        next_at: expect.any(String) as string,
      },
    ]);
    expect(Date.parse(webhook.deliveries[0]?.next_at ?? '')).toBeGreaterThan(Date.now() + 400_000);
    expect(await getJson(`/api/generate/${job}`)).toMatchObject({ webhook });
  });

  it('has no webhook where none was asked for', async () => {
    await start();
    const { job_id: job } = await gateway().generate({ workflow_data: picture() });
    expect(await webhookOf(job)).toBeUndefined();
    expect(await getJson(`/api/generate/${job}`)).not.toHaveProperty('webhook');
  });

  it('has one webhook, however often it is asked for with its key', async () => {
    await start();
    const body = { workflow_data: picture(), output_node_id: 277, webhook_url: receiver.url };
    const call = (more: object = {}) =>
      gateway().post('/api/generate', { ...body, ...more }, { headers: { 'idempotency-key': 'k' } });
    const replies = [await call(), await call()];
    expect(replies.map(({ headers }) => headers.get('idempotency-replayed'))).toEqual([null, 'true']);
    expect((await readProblem(await call({ webhook_url: `${receiver.origin}/hook/2` }))).code).toBe(
      'idempotency_key_reuse',
    );
    expect((await readProblem(await call({ webhook_url: undefined }))).code).toBe('idempotency_key_reuse');
    await expect.poll(() => receiver.received.length, SOON).toBe(1);
    const { deliveries } = await getJson<{ deliveries: unknown[] }>('/api/webhooks/deliveries');
    expect(deliveries).toHaveLength(1);
  });
});

describe('dead letters', () => {
  it('are listed, shown and sent again, by operators only', async () => {
    await start([10], { env: { ADMIN_TOKEN: 'operator' } });
    const admin = { authorization: 'Bearer operator' };
    receiver.manner = () => 500;
    const ids = [await submit(picture()), await submit(picture()), await submit(picture())];
    for (const id of ids) await expect.poll(() => statusOf(id), SOON).toBe('dead');
    receiver.manner = () => 200;
    const good = await submit(picture());
    await expect.poll(() => statusOf(good), SOON).toBe('delivered');

    const base = '/api/webhooks/deliveries';
    interface Page {
      deliveries: { id: string; job_id: string; status: string; attempts: number; url: string }[];
      next_cursor?: string;
    }
    const first = await getJson<Page>(`${base}?status=dead&limit=2`, admin);
    const second = await getJson<Page>(`${base}?status=dead&limit=2&cursor=${first.next_cursor}`, admin);
    const dead = [...first.deliveries, ...second.deliveries];
    expect(dead.map(({ job_id }) => job_id)).toEqual([...ids].reverse());
    expect(second.next_cursor).toBeUndefined();
    expect(dead.map(({ attempts, url }) => [attempts, url])).toEqual(
      dead.map(() => [2, `${receiver.origin}/hook`]),
    );

    const { id = '', job_id: job = '' } = dead[0] ?? {};
    expect(await getJson(`${base}/${id}`, admin)).toMatchObject({
      id,
      payload: { type: 'job.succeeded', data: { job_id: job } },
    });
    const again = await fetch(`${gateway().url}${base}/${id}/resend`, {
      method: 'POST',
      headers: admin,
    });
    expect(again.status).toBe(202);
    await expect.poll(() => statusOf(job), SOON).toBe('delivered');
    expect(receiver.of(job)).toHaveLength(1);
    expect(receiver.received.at(-1)?.id).toBe(id);
    expect((await getJson<Page>(`${base}?status=dead`, admin)).deliveries).toHaveLength(2);

    for (const [path, method] of [
      [base, 'GET'],
      [`${base}/${id}`, 'GET'],
      [`${base}/${id}/resend`, 'POST'],
    ] as const) {
      expect((await readProblem(await fetch(gateway().url + path, { method }))).code).toBe('unauthorized');
    }
    const missing = (path: string, method: string) => fetch(gateway().url + path, { method, headers: admin });
    expect((await readProblem(await missing(`${base}/msg_none`, 'GET'))).code).toBe('not_found');
    expect((await readProblem(await missing(`${base}/msg_none/resend`, 'POST'))).code).toBe('not_found');
    expect((await readProblem(await missing(`${base}?status=lost`, 'GET'))).code).toBe('invalid_request');
    expect((await readProblem(await missing(`${base}?cursor=AAAA`, 'GET'))).code).toBe('invalid_request');
  });

  it('are those at once whose receiver says that it is gone', async () => {
    await start();
    receiver.manner = () => 410;
    const job = await submit(picture());
    await expect.poll(() => statusOf(job), SOON).toBe('dead');
    expect(receiver.received).toHaveLength(1);
  });
});

const body = (more: Record<string, unknown>) => ({ workflow_data: picture(), ...more });

describe('a request', () => {
  it.each([
    ['a private address', { webhook_url: 'http://10.0.0.1/hook' }, 'webhook_url'],
    ['our own machine', { webhook_url: 'http://localhost/hook' }, 'webhook_url'],
    ['an address of the cloud', { webhook_url: 'http://169.254.169.254/latest' }, 'webhook_url'],
    ['another scheme', { webhook_url: 'ftp://example.com/' }, 'webhook_url'],
    ['credentials', { webhook_url: 'https://user:password@example.com/' }, 'webhook_url'],
    ['what is no URL', { webhook_url: 'example' }, 'webhook_url'],
    ['what is no text', { webhook_url: 7 }, 'webhook_url'],
    ['a URL without an end', { webhook_url: `https://example.com/${'a'.repeat(3_000)}` }, 'webhook_url'],
    [
      'an event that there is not',
      { webhook_url: 'https://example.com/', webhook_events: ['job.done'] },
      'webhook_events',
    ],
    ['no list', { webhook_url: 'https://example.com/', webhook_events: 'job.failed' }, 'webhook_events'],
    ['an empty list', { webhook_url: 'https://example.com/', webhook_events: [] }, 'webhook_events'],
    ['events for nobody', { webhook_events: ['job.failed'] }, 'webhook_events'],
  ])('with %s is refused, and makes no job', async (_, more, field) => {
    await start();
    for (const path of ['/api/generate', '/api/generate_file']) {
      const problem = await gateway().problem(path, body(more));
      expect(problem).toMatchObject({ status: 400, code: 'invalid_request' });
      expect(problem.errors?.map((error) => error.field)).toContain(field);
    }
    const response = await gateway().post('/api/v2/jobs', { workflow: picture(), ...more });
    await expectContract('POST', response.url, response);
    expect(response.status).toBe(422);
    expect(await response.json()).toMatchObject({ error: { details: { errors: [{ field }] } } });
    expect(await jobs()).toBe(0);
  });

  it('may be a form, of which nothing stays where it is refused', async () => {
    await start();
    const send = (webhookUrl: string) => {
      const form = new FormData();
      form.set(
        'workflow_data',
        JSON.stringify({ ...picture(), '10': { class_type: 'LoadImage', inputs: {} } }),
      );
      form.set('webhook_url', webhookUrl);
      form.set('webhook_events', '["job.succeeded"]');
      form.set('10.image', new Blob([PNG]), 'photo.png');
      return fetch(`${gateway().url}/api/generate`, { method: 'POST', body: form });
    };
    const problem = await readProblem(await send('http://10.0.0.1/'));
    expect(problem.errors).toMatchObject([{ field: 'webhook_url' }]);
    expect(await gateway().files()).toEqual([]);
    const response = await send(receiver.url);
    expect(await response.json()).toMatchObject({ webhook: { events: ['job.succeeded'] } });
    await expect.poll(() => receiver.taken.map(({ type }) => type), SOON).toEqual(['job.succeeded']);
  });

  it('is told which setting is missing', async () => {
    await start(undefined, { env: { WEBHOOK_SECRETS: '' } });
    const problem = await gateway().problem('/api/generate', body({ webhook_url: receiver.url }));
    expect(problem).toMatchObject({ status: 422, code: 'webhooks_off' });
    expect(problem.detail).toContain('WEBHOOK_SECRETS');
    const response = await gateway().post('/api/v2/jobs', { workflow: picture(), webhook_url: receiver.url });
    await expectContract('POST', response.url, response);
    expect(await response.json()).toMatchObject({ error: { code: 'webhooks_off' } });
    expect(await jobs()).toBe(0);
  });

  it('with null in place of a URL wants none', async () => {
    await start(undefined, { env: { WEBHOOK_SECRETS: '' } });
    const reply = await gateway().generate(body({ webhook_url: null, webhook_events: null }));
    expect(reply).not.toHaveProperty('webhook');
  });
});

describe('servers of this installation', () => {
  /** Everything is open, as far as settings can open it. */
  const OPEN = { FETCH_ALLOW_PRIVATE: 'true', FETCH_ALLOW_HOSTS: '127.0.0.1:*, localhost:*, 0.0.0.0/0:*' };

  it('are called by no webhook and no input: nothing is drained, nothing runs', async () => {
    await start(undefined, { env: { ...OPEN, SERVER_BASE_URL: 'http://pictures.example.com:4000' } });
    const { port } = new URL(gateway().url);
    const backend = new URL(fleet?.at(0).url ?? '');
    const drain = `/api/backends/${encodeURIComponent(backend.host)}/drain`;
    for (const target of [
      `http://127.0.0.1:${port}${drain}`,
      `http://localhost:${port}${drain}`,
      `http://[::1]:${port}${drain}`,
      `http://127.9.9.9:${port}${drain}`,
      `http://pictures.example.com:4000${drain}`,
      `http://127.0.0.1:${backend.port}/prompt`,
      `http://localhost:${backend.port}/interrupt`,
    ]) {
      const problem = await gateway().problem('/api/generate', {
        workflow_data: picture(),
        webhook_url: target,
      });
      expect(problem, target).toMatchObject({ status: 400, errors: [{ field: 'webhook_url' }] });
      const workflow = { ...picture(), '10': { class_type: 'LoadImage', inputs: { image: target } } };
      expect((await gateway().problem('/api/generate', { workflow_data: workflow })).code).toBe(
        'invalid_input',
      );
    }
    const { backends } = await getJson<{ backends: { draining: boolean }[] }>('/api/backends');
    expect(backends.map(({ draining }) => draining)).toEqual([false]);
    expect(await jobs()).toBe(0);
    // Others on this machine are called, as the settings say.
    const job = await submit(picture());
    await expect.poll(() => receiver.of(job), SOON).toHaveLength(1);
  });

  it('obey no webhook that comes by a way which no address tells', async () => {
    await start();
    const { host: name } = new URL(fleet?.at(0).url ?? '');
    // As a proxy or a router may have it: another address that leads to the service.
    const proxy = createServer((socket) => {
      const { hostname, port } = new URL(gateway().url);
      const to = connect(Number(port), hostname);
      socket
        .on('error', () => to.destroy())
        .pipe(to.on('error', () => socket.destroy()))
        .pipe(socket);
    });
    await once(proxy.listen(0, '127.0.0.1'), 'listening');
    try {
      const origin = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
      const drain = `${origin}/api/backends/${encodeURIComponent(name)}/drain`;
      const job = await submit(picture(), { webhook_url: drain });
      await expect.poll(async () => (await webhookOf(job))?.deliveries[0]?.last_status, SOON).toBe(403);
      const { backends } = await getJson<{ backends: { draining: boolean }[] }>('/api/backends');
      expect(backends.map(({ draining }) => draining)).toEqual([false]);
      const image = `${origin}/api/backends`;
      const workflow = { ...picture(), '10': { class_type: 'LoadImage', inputs: { image } } };
      expect((await gateway().problem('/api/generate', { workflow_data: workflow })).code).toBe(
        'input_unavailable',
      );
      // Files of another server like this one are inputs as any other.
      expect(
        (await fetch(`${origin}/health/live`, { headers: { 'cdn-loop': 'comfy-sync-server' } })).status,
      ).toBe(200);
    } finally {
      proxy.close();
    }
  });

  it('other ports of a listed host are none that was listed', async () => {
    const { port } = new URL(receiver.url);
    await start(undefined, { env: { FETCH_ALLOW_HOSTS: `127.0.0.1:${port}` } });
    const other = await Receiver.start();
    try {
      const problem = await gateway().problem('/api/generate', body({ webhook_url: other.url }));
      expect(problem).toMatchObject({ status: 400, errors: [{ field: 'webhook_url' }] });
      const job = await submit(picture());
      await expect.poll(() => receiver.of(job), SOON).toHaveLength(1);
    } finally {
      await other.stop();
    }
  });
});

describe('over a restart', () => {
  let folder: string;
  let backend: ComfyStandin;
  let service: Service;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'webhooks-'));
    backend = await ComfyStandin.start({});
  });

  afterEach(async () => {
    await service.stop();
    await backend.stop();
    await rm(folder, { recursive: true, force: true });
  });

  const begin = (more: Record<string, string> = {}) =>
    Service.start({
      ...ENV,
      COMFYUI_SERVER: backend.url,
      OUTPUT_DIR: join(folder, 'pictures'),
      STATE_DIR: join(folder, 'state'),
      ...more,
    });

  async function call(workflow: unknown): Promise<string> {
    const response = await fetch(`${service.url}/api/generate`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', prefer: 'respond-async' },
      body: JSON.stringify({ workflow_data: workflow, output_node_id: 277, webhook_url: receiver.url }),
    });
    return ((await response.json()) as { job_id: string }).job_id;
  }

  const viewOf = async (job: string) => {
    const response = await fetch(`${service.url}/api/v2/jobs/${job}`);
    return ((await response.json()) as { webhook: JobWebhook }).webhook.deliveries[0];
  };

  it('a call that is sent again is answered, also where no webhooks are signed any more', async () => {
    const workflow = picture();
    const again = () =>
      fetch(`${service.url}/api/generate`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', 'idempotency-key': 'k' },
        body: JSON.stringify({ workflow_data: workflow, output_node_id: 277, webhook_url: receiver.url }),
      });
    service = await begin();
    const first = (await (await again()).json()) as { job_id: string };
    await service.stop();
    service = await begin({ WEBHOOK_SECRETS: '' });
    const second = await again();
    expect([second.status, second.headers.get('idempotency-replayed')]).toEqual([200, 'true']);
    expect(await second.json()).toMatchObject({ job_id: first.job_id });
  });

  it('a kill in the middle of retries, of calls and of jobs loses nothing', async () => {
    service = await begin();
    receiver.manner = () => 503;
    const retried = await call(picture());
    await expect.poll(async () => (await viewOf(retried))?.attempts, LONG).toBe(1);
    receiver.manner = () => 'hang';
    const hanging = await call(picture());
    await expect.poll(() => receiver.received.length, LONG).toBe(2);
    const running = await call(slow({ steps: 50 }));
    await expect.poll(() => backend.queue.running.length, LONG).toBe(1);
    service.signal('SIGKILL');
    await service.stop();

    receiver.manner = () => 200;
    service = await begin();
    const all = [retried, hanging, running];
    await expect.poll(() => all.map((job) => receiver.of(job).length), LONG).toEqual([1, 1, 1]);
    expect(receiver.forged).toEqual([]);
    for (const job of all) {
      const sent = receiver.received.filter(({ message }) => message.data.job_id === job);
      expect(new Set(sent.map(({ id }) => id)).size).toBe(1);
      await expect.poll(async () => (await viewOf(job))?.status, LONG).toBe('delivered');
    }
    expect((await viewOf(retried))?.attempts).toBe(2);
  });

  it('without STATE_DIR who is told of a job learns at least that the stop has ended it', async () => {
    service = await begin({ STATE_DIR: '' });
    const job = await call(slow({ steps: 1_000 }));
    await expect.poll(() => backend.queue.running.length, LONG).toBe(1);
    expect((await service.stop()).code).toBe(0);
    expect(receiver.of(job)).toMatchObject([
      { type: 'job.failed', data: { error: { code: 'shutting_down' } } },
    ]);
  });

  it('a host that is not allowed any more gets no further call', async () => {
    service = await begin();
    receiver.manner = () => 503;
    const job = await call(picture());
    await expect.poll(async () => (await viewOf(job))?.attempts, LONG).toBe(1);
    await service.stop();
    service = await begin({ FETCH_ALLOW_HOSTS: '' });
    await expect.poll(async () => (await viewOf(job))?.last_error, LONG).toBe('not_allowed');
    expect(await viewOf(job)).toMatchObject({ status: 'pending', attempts: 2 });
    expect(receiver.received).toHaveLength(1);
  });

  it('what is asked to stop breaks off a call that hangs, ends, and leaves it to the next process', async () => {
    service = await begin();
    receiver.manner = () => 'hang';
    const job = await call(picture());
    await expect.poll(() => receiver.received.length, LONG).toBe(1);
    const { code, ms } = await service.stop();
    expect(code).toBe(0);
    expect(ms).toBeLessThan(8_000);

    receiver.manner = () => 200;
    service = await begin();
    await expect.poll(() => receiver.of(job).length, LONG).toBe(1);
  });
});
