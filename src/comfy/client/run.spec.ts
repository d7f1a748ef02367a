import { randomUUID } from 'node:crypto';
import { BehaviorSubject, Subject } from 'rxjs';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { ComfyError } from '../comfy.error.js';
import { BackendError } from './backend.error.js';
import type { QueueSnapshot } from './comfy-http.js';
import type { SocketState } from './comfy-socket.js';
import { parseTextFrame, type SocketMessage } from './messages.js';
import { PromptRouter } from './prompt-router.js';
import { runPrompt } from './run.js';
import type { RunContext, RunEvent, RunRequest } from './run.types.js';

const workflow = {
  '1': { class_type: 'EmptyImage', inputs: {} },
  '9': { class_type: 'SaveImage', inputs: { images: ['1', 0] } },
};
const images = (filename: string) => ({ images: [{ filename, subfolder: '', type: 'output' }] });
const blocked = { node_id: '9', node_type: 'SaveImage', exception_type: 'ExecutionBlocked' };
const broken = {
  node_id: '1',
  node_type: 'EmptyImage',
  exception_type: 'ValueError',
  exception_message: 'no',
};

/** A run against a server that says what the test says. */
class Scene {
  readonly promptId = randomUUID();
  readonly messages = new Subject<SocketMessage>();
  readonly state = new BehaviorSubject<SocketState>({ clientId: 'a' });
  readonly snapshots = new Subject<QueueSnapshot>();
  readonly events: RunEvent[] = [];
  readonly history = vi.fn<() => Promise<unknown>>(() => Promise.resolve(undefined));
  readonly queue = vi.fn<() => Promise<QueueSnapshot>>(() => Promise.resolve(this.running));
  readonly submit = vi.fn<() => Promise<object>>(() =>
    Promise.resolve({ promptId: this.promptId, nodeErrors: {} }),
  );
  readonly cancel = vi.fn<() => void>();
  end: 'complete' | ComfyError | undefined;

  get running(): QueueSnapshot {
    return {
      running: [{ promptId: this.promptId, mark: this.promptId, ours: true }],
      pending: [],
      complete: true,
    };
  }

  start(request: Partial<RunRequest> = {}): this {
    const { state } = this;
    const context = {
      http: {
        submit: this.submit,
        history: this.history,
        queue: this.queue,
        historyByMark: () => Promise.resolve(undefined),
      },
      socket: { state$: state, clientId: 'a' },
      router: new PromptRouter(this.messages),
      canceller: { cancel: this.cancel, mayHaveStruck: false },
      queueWatch: { snapshots$: this.snapshots },
      limits: {
        silenceMs: 1_000,
        blindPollMs: 50,
        lostAfterMs: 3_000,
        refusedAfterMs: 300,
        doubtMs: 200,
        replyGraceMs: 100,
        historyGraceMs: 100,
      },
    } as unknown as RunContext;
    runPrompt(context, { promptId: this.promptId, workflow, outputNode: '9', ...request }).subscribe({
      next: (event) => this.events.push(event),
      error: (error: ComfyError) => (this.end = error),
      complete: () => (this.end = 'complete'),
    });
    return this;
  }

  say(type: string, data: object = {}): this {
    return this.sayRaw(JSON.stringify({ type, data: { prompt_id: this.promptId, ...data } }));
  }

  sayRaw(text: string): this {
    const message = parseTextFrame(Buffer.from(text));
    if (message !== undefined) this.messages.next(message);
    return this;
  }

  endsWith(status: 'success' | 'error', outputs: object, ...messages: unknown[]): this {
    this.history.mockResolvedValue({ outputs, status: { status_str: status, messages } });
    return this;
  }

  of<Type extends RunEvent['type']>(type: Type) {
    return this.events.filter((event): event is Extract<RunEvent, { type: Type }> => event.type === type);
  }

  get files(): string[] {
    return this.of('output').flatMap(({ output }) => (output.form === 'file' ? [output.file.filename] : []));
  }
}

const unreadable = () => new BackendError('unreadable', 'HTML', 200);
const refused = () =>
  new BackendError('unreachable', 'refused', undefined, Object.assign(new Error(), { code: 'ECONNREFUSED' }));

describe('runPrompt', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());
  const wait = (ms: number) => vi.advanceTimersByTimeAsync(ms);

  it('does not take a blocked node for the end, and tells what it said', async () => {
    const scene = new Scene().start();
    scene
      .say('execution_start')
      .say('execution_error', { ...blocked, exception_message: 'Execution Blocked: not today' });
    await wait(20);
    expect(scene.end).toBeUndefined();
    scene.endsWith('success', {}).say('execution_success').say('executing', { node: null });
    await wait(200);
    expect(scene.end).toBe('complete');
    expect(scene.of('blocked')).toEqual([
      { type: 'blocked', node: '9', nodeType: 'SaveImage', message: 'not today' },
    ]);
  });

  it('delivers the wanted output where another branch is blocked, without asking the history', async () => {
    const scene = new Scene().start();
    await wait(0);
    scene.say('execution_error', { ...blocked, node_id: '10', exception_message: 'Execution Blocked: x' });
    scene.say('executed', { node: '9', output: images('a.png') }).say('execution_success');
    await wait(200);
    expect([scene.end, scene.files, scene.history.mock.calls.length]).toEqual(['complete', ['a.png'], 0]);
    expect(scene.of('blocked')).toHaveLength(1);
  });

  it('fails as the history says, after what was made before', async () => {
    const scene = new Scene().start();
    scene.endsWith(
      'error',
      { '9': images('a.png') },
      ['execution_start', { timestamp: 5 }],
      ['execution_error', { ...broken, timestamp: 9 }],
    );
    scene.say('execution_error', broken).say('executing', { node: null });
    await wait(10);
    expect(scene.end).toMatchObject({ code: 'node_execution_error', nodeErrors: { '1': {} } });
    expect(scene.files).toEqual(['a.png']);
    expect(scene.of('times').at(-1)).toEqual({ type: 'times', start: 5, end: 9 });
  });

  it('goes on after an error of any kind that was not the end', async () => {
    const scene = new Scene().start();
    scene.say('execution_start').say('execution_error', broken);
    await wait(500);
    expect(scene.end).toBeUndefined();
    scene.endsWith('success', { '9': images('a.png') });
    scene.say('executing', { node: null });
    await wait(200);
    expect([scene.end, scene.files]).toEqual(['complete', ['a.png']]);
  });

  it.each(['nobody has the entry any more', 'nobody answers'])(
    'fails as the event said where %s',
    async (why) => {
      const scene = new Scene().start();
      await wait(0);
      if (why === 'nobody answers') scene.history.mockRejectedValue(unreadable());
      else scene.queue.mockResolvedValue({ running: [], pending: [], complete: true });
      scene.say('execution_error', broken).say('executing', { node: null });
      await wait(4_000);
      expect(scene.end).toMatchObject({ code: 'node_execution_error' });
    },
  );

  it.each([
    ['unreadable answers', unreadable()],
    ['the errors of a proxy', new BackendError('status', '502', 502)],
    ['time-outs', new BackendError('timeout', 'slow')],
  ])('loses nothing because of %s while its socket lives', async (_, error) => {
    const scene = new Scene().start();
    scene.say('execution_start');
    const signs = scene.of('alive').length;
    scene.queue.mockRejectedValue(error);
    await wait(60_000);
    // So it is up to the stall deadline.
    expect([scene.end, scene.of('alive').length]).toEqual([undefined, signs]);
    scene.say('executed', { node: '9', output: images('a.png') }).say('execution_success');
    await wait(200);
    expect([scene.end, scene.files]).toEqual(['complete', ['a.png']]);
  });

  it('asks the history where a frame could not be read', async () => {
    const scene = new Scene().start();
    scene.say('execution_start');
    await wait(0);
    scene.sayRaw('{"type": "executed", "data": {"node": "9", "out');
    scene.say('executed', { node: '9', output: images('a.png') });
    scene.endsWith('success', { '9': { images: [...images('a.png').images, ...images('b.png').images] } });
    scene.say('execution_success').say('executing', { node: null });
    await wait(200);
    expect([scene.end, scene.files]).toEqual(['complete', ['a.png', 'b.png']]);
  });

  it('believes the socket where the history cannot be read for ever', async () => {
    const scene = new Scene().start();
    scene.history.mockRejectedValue(unreadable());
    scene.say('execution_success').say('executing', { node: null });
    await wait(10_000);
    expect(scene.end).toBe('complete');
  });

  it('tells that a silent prompt runs for as long as the queue says so', async () => {
    const scene = new Scene().start();
    scene.say('execution_start');
    await wait(60_000);
    expect(scene.end).toBeUndefined();
    expect(scene.of('alive').length).toBeGreaterThan(30);
  });

  it('asks at once when a queue that got shorter lacks it, and is lost when it is gone', async () => {
    const scene = new Scene().start();
    await wait(0);
    const gone = { running: [], pending: [], complete: true };
    scene.snapshots.next(scene.running);
    scene.snapshots.next({ ...gone, complete: false });
    await wait(10);
    expect(scene.queue).not.toHaveBeenCalled();
    scene.queue.mockResolvedValue(gone);
    scene.snapshots.next(gone);
    await wait(10);
    expect(scene.end).toMatchObject({ code: 'backend_lost' });
  });

  it.each([
    { alternative: true, error: refused(), ms: 1_000, lost: true },
    { alternative: true, error: new BackendError('status', '502', 502), ms: 1_000, lost: true },
    { alternative: true, error: new BackendError('timeout', 'slow'), ms: 2_500, lost: false },
    { alternative: false, error: refused(), ms: 2_500, lost: false },
    { alternative: false, error: refused(), ms: 4_000, lost: true },
  ])('a dead server: $error.message, alternative $alternative, after $ms ms lost $lost', async (row) => {
    const scene = new Scene().start({ hasAlternative: () => row.alternative });
    await wait(0);
    scene.queue.mockRejectedValue(row.error);
    scene.history.mockRejectedValue(row.error);
    scene.state.next({ clientId: undefined });
    await wait(row.ms);
    expect(scene.end !== undefined).toBe(row.lost);
  });

  it('takes a prompt whose acceptance could not be read for one that may run', async () => {
    const scene = new Scene();
    scene.submit.mockRejectedValue(unreadable());
    scene.start();
    await wait(500);
    expect(scene.end).toBeUndefined();
    scene.endsWith('success', { '9': images('a.png') });
    await wait(500);
    expect([scene.end, scene.files]).toEqual(['complete', ['a.png']]);
  });
});
