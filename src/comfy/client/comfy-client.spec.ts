import { randomUUID } from 'node:crypto';
import { firstValueFrom, filter, lastValueFrom, tap, toArray } from 'rxjs';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ComfyStandin, type StandinOptions } from '../../../test/comfyui/index.js';
import { parseComfyuiServer } from '../../config/index.js';
import type { ComfyError } from '../comfy.error.js';
import type { Workflow } from '../workflow/index.js';
import { CLIENT_LIMITS, ComfyClient, type ClientLimits } from './comfy-client.js';
import type { RunEvent, RunRequest } from './run.types.js';

const LIMITS: ClientLimits = {
  http: { ...CLIENT_LIMITS.http, answerTimeoutMs: 400, questionTimeoutMs: 400 },
  socket: { ...CLIENT_LIMITS.socket, pingIntervalMs: 100, minBackoffMs: 20, maxBackoffMs: 100 },
  run: {
    silenceMs: 300,
    blindPollMs: 30,
    lostAfterMs: 500,
    refusedAfterMs: 200,
    doubtMs: 200,
    replyGraceMs: 200,
    historyGraceMs: 100,
  },
};

const picture = (extra: Workflow = {}): Workflow => ({
  '1': { class_type: 'EmptyImage', inputs: { width: 64, height: 64, batch_size: 1, color: 255 } },
  '277': { class_type: 'SaveImage', inputs: { images: ['1', 0], filename_prefix: `p${Math.random()}` } },
  ...extra,
});

const slow = (steps = 10, preview = false): Workflow => ({
  ...picture(),
  '2': {
    class_type: 'ProbeSlowImage',
    inputs: { image: ['1', 0], steps, delay_ms: 20, preview, salt: Math.floor(Math.random() * 1e9) },
  },
  '277': { class_type: 'SaveImage', inputs: { images: ['2', 0], filename_prefix: 'slow' } },
});

describe.each([
  { name: 'ComfyUI 0.3.64', legacy: false },
  { name: 'ComfyUI 0.3.11', legacy: true },
])('ComfyClient against $name', ({ legacy }) => {
  let comfy: ComfyStandin;
  let client: ComfyClient;

  const start = async (options: StandinOptions = {}) => {
    comfy = await ComfyStandin.start({ legacy, ...options });
    client = new ComfyClient(parseComfyuiServer(comfy.url), LIMITS);
    client.open();
    await connected();
  };
  const connected = () => firstValueFrom(client.connected$.pipe(filter(Boolean)));
  const run = (workflow: Workflow, request: Partial<RunRequest> = {}) =>
    client.run({ promptId: randomUUID(), workflow, outputNode: '277', ...request });
  const events = (workflow: Workflow, request: Partial<RunRequest> = {}) =>
    lastValueFrom(run(workflow, request).pipe(toArray()));
  const failure = (workflow: Workflow, request: Partial<RunRequest> = {}) =>
    lastValueFrom(run(workflow, request)).then(
      () => expect.fail('it should have failed'),
      (error: unknown) => error as ComfyError,
    );

  beforeEach(() => start());
  afterEach(async () => {
    await client.close();
    await comfy.stop();
  });

  const outputs = (list: RunEvent[]) =>
    list.flatMap((event) => (event.type === 'output' ? [event.output] : []));

  it('tells a run from acceptance to output, and reads the file', async () => {
    const list = await events(picture());
    expect(list.map(({ type }) => type).filter((type) => type !== 'progress')).toEqual(
      expect.arrayContaining(['accepted', 'started', 'output']),
    );
    const [output] = outputs(list);
    expect(output).toMatchObject({ node: '277', displayNode: '277', kind: 'images', form: 'file' });
    if (output?.form !== 'file') return expect.fail('not a file');
    const { body, size } = await client.view(output.file);
    const chunks = await body.toArray();
    expect(Buffer.concat(chunks as Buffer[]).length).toBe(size);
  });

  it('does not ask the history when the events tell all', async () => {
    await events(picture());
    expect(comfy.requests.filter(({ path }) => path.startsWith('/history'))).toEqual([]);
  });

  it('knows progress by nodes and steps, and only forward', async () => {
    const list = await events(slow(10));
    const values = list.flatMap((event) => (event.type === 'progress' ? [event.progress.value] : []));
    expect(values).toEqual([...values].sort((a, b) => a - b));
    expect(values.at(-1)).toBeGreaterThan(0.9);
    const steps = list.flatMap((event) =>
      event.type === 'progress' && event.progress.node === '2' ? [event.progress] : [],
    );
    expect(steps.at(-1)).toMatchObject({ class: 'ProbeSlowImage', steps: 10 });
  });

  it('passes previews on, tagged or not', async () => {
    const list = await events(slow(3, true));
    const previews = list.filter((event) => event.type === 'preview');
    expect(previews).toHaveLength(3);
    expect(previews[0]).toMatchObject({ node: '2', mime: 'image/jpeg' });
  });

  it('takes the pictures of SaveImageWebsocket from the socket', async () => {
    const list = await events({
      '1': { class_type: 'EmptyImage', inputs: { width: 64, height: 64, batch_size: 2, color: 1 } },
      '277': { class_type: 'SaveImageWebsocket', inputs: { images: ['1', 0] } },
    });
    expect(outputs(list)).toHaveLength(2);
    expect(outputs(list)[0]).toMatchObject({ form: 'memory', mime: 'image/png', node: '277' });
    expect(list.some(({ type }) => type === 'preview')).toBe(false);
  });

  it('passes ComfyUI’s refusal on without its tracebacks', async () => {
    const error = await failure(
      picture({ '277': { class_type: 'SaveImage', inputs: { images: ['99', 0], filename_prefix: 'x' } } }),
    );
    expect(error).toMatchObject({ code: 'invalid_workflow' });
    expect(error.nodeErrors?.['277']?.class_type).toBe('SaveImage');
    expect(JSON.stringify(error)).not.toContain('/srv');
  });

  it('fails at once where the wanted branch is skipped, and stops the rest', async () => {
    const error = await failure(
      {
        ...slow(100),
        '300': { class_type: 'SaveImage', inputs: { images: ['99', 0], filename_prefix: 'x' } },
      },
      { outputNode: '300' },
    );
    expect(error.code).toBe('invalid_workflow');
    expect(error.nodeErrors).toHaveProperty('300');
    await vi.waitFor(() => expect(comfy.queue).toEqual({ running: [], pending: [] }), 5_000);
  });

  it('tells a failing node and an exhausted memory apart', async () => {
    const raise = (kind: string): Workflow => ({
      ...picture(),
      '2': { class_type: 'ProbeRaise', inputs: { image: ['1', 0], kind } },
      '277': { class_type: 'SaveImage', inputs: { images: ['2', 0], filename_prefix: 'x' } },
    });
    expect(await failure(raise('ValueError'))).toMatchObject({
      code: 'node_execution_error',
      message: expect.stringContaining('tensor size mismatch') as string,
    });
    expect((await failure(raise('OOM'))).code).toBe('out_of_memory');
  });

  it('interrupts a running prompt when left, and no other', async () => {
    const left = run(slow(200)).subscribe();
    await vi.waitFor(() => expect(comfy.queue.running).toHaveLength(1));
    const other = events(slow(2));
    await vi.waitFor(() => expect(comfy.queue.pending).toHaveLength(1));
    left.unsubscribe();
    expect(outputs(await other)).toHaveLength(1);
    expect(comfy.executed.map(({ outcome }) => outcome)).toEqual(['interrupted', 'success']);
  });

  it('takes a pending prompt out of the queue when left', async () => {
    const first = events(slow(20));
    await vi.waitFor(() => expect(comfy.queue.running).toHaveLength(1));
    const promptId = randomUUID();
    const left = run(slow(200), { promptId }).subscribe();
    await vi.waitFor(() => expect(comfy.queue.pending).toHaveLength(1));
    left.unsubscribe();
    await client.settled(promptId);
    expect(comfy.queue.pending).toEqual([]);
    await first;
    expect(comfy.executed).toHaveLength(1);
    expect(comfy.requests.some(({ path }) => path.endsWith('/interrupt'))).toBe(false);
  });

  it('finds the end in the history after the socket was cut', async () => {
    let dropped = false;
    const list = await lastValueFrom(
      run(slow(20)).pipe(
        tap((event) => {
          if (event.type !== 'started' || dropped) return;
          dropped = true;
          comfy.faults.dropSockets();
        }),
        toArray(),
      ),
    );
    expect(outputs(list)).toHaveLength(1);
    await connected();
    expect(outputs(await events(picture()))).toHaveLength(1);
  });

  it('finds the end of a silent, half-open socket', async () => {
    const ending = events(slow(10));
    await vi.waitFor(() => expect(comfy.queue.running).toHaveLength(1));
    comfy.faults.muteSockets();
    expect(outputs(await ending)).toHaveLength(1);
  });

  it.each(['executed', 'execution_success', 'executing'])('does without %s events', async (type) => {
    comfy.faults.loseEvents(type);
    expect(outputs(await events(picture()))).toHaveLength(1);
  });

  it('ends with backend_lost when the server forgets the prompt', async () => {
    const ending = failure(slow(500));
    await vi.waitFor(() => expect(comfy.queue.running).toHaveLength(1));
    comfy.faults.forgetAll();
    expect((await ending).code).toBe('backend_lost');
  });

  it('ends with backend_lost when the server dies', async () => {
    const ending = failure(slow(500));
    await vi.waitFor(() => expect(comfy.queue.running).toHaveLength(1));
    await comfy.kill();
    expect((await ending).code).toBe('backend_lost');
  });

  it('recognises its prompt when the reply to POST /prompt does not come', async () => {
    await client.close();
    await comfy.stop();
    // Queued at once and answered too late: only our mark in the queue and the history tells that it is ours.
    await start({ replyDelayMs: 60_000 });
    const list = await events(slow(30));
    expect(outputs(list)).toHaveLength(1);
    expect(comfy.executed).toHaveLength(1);
  });

  it('says no_backend where POST /prompt was cut before it had an effect', async () => {
    comfy.faults.resetNext('POST /prompt');
    expect((await failure(picture())).code).toBe('no_backend');
    expect(comfy.executed).toEqual([]);
  });

  it('deletes the history of what it is told to forget, many at once', async () => {
    const list = await events(picture());
    const accepted = list.find((event) => event.type === 'accepted');
    if (accepted?.type !== 'accepted') return expect.fail('not accepted');
    expect(comfy.history.has(accepted.promptId)).toBe(true);
    client.forget(accepted.promptId);
    await vi.waitFor(() => expect(comfy.history.has(accepted.promptId)).toBe(false), 3_000);
  });

  it('does not agree to compression', () => {
    expect(comfy.sockets).toMatchObject({ count: 1, deflated: 0 });
  });
});
