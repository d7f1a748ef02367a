import { Subject, type Subscription } from 'rxjs';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { ComfyService, JobForecast, JobOutput, JobState, JobUpdate } from '../comfy/index.js';
import type { ProblemException } from '../problem/index.js';
import { changesBetween, type JobChange } from './changes.js';
import { JobFeed, MAX_WATCHERS } from './job-feed.js';
import type { JobSnapshot } from './job-snapshot.js';
import { oncePerChange } from './once-per-change.js';
import type { Sink } from './pump.js';

const FORECAST: JobForecast = { position: undefined, startsInMs: 0, endsInMs: undefined };

const state = (more: Partial<JobState> = {}): JobState => ({
  id: 'j',
  status: 'running',
  times: { created: 1 },
  attempts: [],
  outputs: [],
  ...more,
});
const at = (more: Partial<JobState>, forecast = FORECAST): JobSnapshot => ({ state: state(more), forecast });
const output = (key: string) => ({ key }) as JobOutput;
const progress = (value: number) => ({ value }) as NonNullable<JobState['progress']>;
const preview = (size: number) => ({ node: '1', mime: 'image/jpeg', bytes: new Uint8Array(size) });
const types = (changes: readonly JobChange[]) => changes.map(({ type }) => type);

describe('changesBetween', () => {
  const job = { progress: progress(0.5), preview: preview(3), outputs: [output('a')] };

  it('tells all there is to somebody who knows nothing, the status first', () => {
    expect(types(changesBetween(undefined, at(job)))).toEqual(['status', 'progress', 'preview', 'output']);
  });

  it('tells what is new, and nothing twice', () => {
    expect(changesBetween(at(job), at(job))).toEqual([]);
    const later = { ...job, progress: progress(0.6), outputs: [output('a'), output('b')] };
    expect(changesBetween(at(job), at(later))).toMatchObject([
      { type: 'progress', progress: { value: 0.6 } },
      { type: 'output', output: { key: 'b' } },
    ]);
  });

  it('tells the end last: readers stop there', () => {
    const ended = {
      status: 'succeeded',
      times: { created: 1, finished: 2 },
      outputs: [output('a')],
    } as const;
    expect(types(changesBetween(at({}), at(ended)))).toEqual(['output', 'status']);
    expect(types(changesBetween(undefined, at(ended)))).toEqual(['output', 'status']);
  });

  it('tells where it is in line when that changes', () => {
    const first = at({ status: 'queued' }, { ...FORECAST, position: 2 });
    const second = at({ status: 'queued' }, { ...FORECAST, position: 1 });
    expect(changesBetween(first, second)).toMatchObject([{ type: 'status', forecast: { position: 1 } }]);
  });

  it('tells of tries that failed, and of branches that are skipped', () => {
    const failure = { code: 'backend_lost', message: 'Lost.', retryable: true } as const;
    const attempt = { backend: 'b', at: 1, failure };
    const nodeErrors = { '9': { class_type: 'A', errors: [] } };
    const tried = at({ attempts: [attempt], nodeErrors });
    const logs = changesBetween(undefined, tried).flatMap((change) =>
      change.type === 'log' ? change.message : [],
    );
    expect(logs[0]).toBe('Try 1 failed (backend_lost): Lost; it is run again.');
    expect(logs[1]).toContain('9');
    expect(changesBetween(tried, at({ attempts: [attempt, attempt], nodeErrors }))).toMatchObject([
      { type: 'log', message: 'Try 2 failed (backend_lost): Lost; it is run again.' },
    ]);
  });

  it('tells a warning when it comes, and all of them with the end', () => {
    const warnings = [{ code: 'output_missing', message: 'It is gone.', node: '9' }] as const;
    const seen = at({ status: 'running' });
    const warned = changesBetween(seen, at({ status: 'running', warnings }));
    expect(warned).toEqual([{ type: 'log', level: 'warning', message: 'Node 9: It is gone.' }]);
    const end = changesBetween(at({ status: 'running', warnings }), at({ status: 'succeeded', warnings }));
    expect(end).toMatchObject([{ type: 'status', status: 'succeeded', warnings }]);
  });

  it('passes on no preview that is too large', () => {
    expect(types(changesBetween(undefined, at({ preview: preview(2_000_000) })))).toEqual(['status']);
  });
});

describe('oncePerChange', () => {
  it('encodes what is large once, however many it goes to', () => {
    let encoded = 0;
    const once = oncePerChange(({ type }) => {
      encoded += 1;
      return { type };
    });
    const same = preview(3);
    expect(once({ type: 'preview', preview: same }, 'j')).toBe(once({ type: 'preview', preview: same }, 'j'));
    once({ type: 'preview', preview: preview(3) }, 'j');
    expect(encoded).toBe(2);
  });
});

describe('JobFeed', () => {
  let updates: Subject<JobUpdate>;
  let current: JobState;
  let forecast: JobForecast;
  let watches: number;
  let feed: JobFeed;

  beforeEach(() => {
    vi.useFakeTimers();
    updates = new Subject();
    current = state({ status: 'queued' });
    forecast = { position: 3, startsInMs: undefined, endsInMs: undefined };
    watches = 0;
    const comfy = {
      accepting: true,
      find: () => current,
      forecast: () => forecast,
      watch: () => {
        watches += 1;
        const out = new Subject<JobUpdate>();
        queueMicrotask(() => {
          out.next({ state: current });
          updates.subscribe(out);
        });
        return out;
      },
    };
    feed = new JobFeed(comfy as unknown as ComfyService);
  });

  afterEach(() => {
    vi.useRealTimers();
  });

  function change(more: Partial<JobState>, type: string): void {
    current = { ...current, ...more };
    updates.next({ state: current, event: { type } as NonNullable<JobUpdate['event']> });
  }

  function end(): void {
    change({ status: 'succeeded', times: { created: 1, finished: 2 } }, 'succeeded');
    updates.complete();
  }

  /** Somebody who writes down what arrives. */
  class Reader implements Sink {
    ready = true;
    readonly drained$ = new Subject<void>();
    readonly got: JobChange[] = [];
    send(changes: readonly JobChange[]): void {
      this.got.push(...changes);
    }
    drain(): void {
      this.ready = true;
      this.drained$.next();
    }
  }

  it('looks at a job once, however many watch, and serves all of them to the end', async () => {
    const readers = Array.from({ length: 300 }, () => new Reader());
    const watching = readers.map((reader) => feed.watch('j', reader));
    await vi.advanceTimersByTimeAsync(10);
    change({ status: 'running' }, 'started');
    await vi.advanceTimersByTimeAsync(10);
    end();
    await vi.advanceTimersByTimeAsync(10);
    expect(watches).toBe(1);
    for (const { got } of readers) expect(types(got)).toEqual(['status', 'status', 'status']);
    expect(watching.every(({ closed }) => closed)).toBe(true);
    expect(feed.watchers).toBe(0);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('takes no more than ten thousand, and says when to try again', () => {
    const callers = (index: number) => `10.0.0.${Math.floor((index / MAX_WATCHERS) * 4)}`;
    const watching = Array.from({ length: MAX_WATCHERS }, (_, index) =>
      feed.watch('j', new Reader(), callers(index)),
    );
    const refusal = { code: 'too_many_streams', extras: { retry_after: 5 } };
    expect(() => feed.watch('j', new Reader())).toThrow(expect.objectContaining(refusal) as Error);
    watching.pop()?.unsubscribe();
    watching.push(feed.watch('j', new Reader()));
    for (const watch of watching) watch.unsubscribe();
    expect(feed.watchers).toBe(0);
  });

  it('leaves places for others, whatever one caller calls itself', () => {
    const watching: Subscription[] = [];
    const fill = (caller: (index: number) => string) => {
      try {
        for (let index = 0; ; index += 1) watching.push(feed.watch('j', new Reader(), caller(index)));
      } catch (error) {
        return (error as ProblemException).code;
      }
    };
    expect(fill(() => '10.0.0.1')).toBe('too_many_streams');
    expect(feed.watchers).toBe(7_500);
    expect(fill((index) => `10.0.0.1 made up ${index}`)).toBe('too_many_streams');
    expect(feed.watchers).toBe(8_750);
    watching.push(feed.watch('j', new Reader(), '10.0.0.2'));
    for (const watch of watching) watch.unsubscribe();
    expect(feed.watchers).toBe(0);
  });

  it('gives a late watcher the newest state, and forgets the job with the last', async () => {
    const early = feed.watch('j', new Reader());
    await vi.advanceTimersByTimeAsync(1);
    change({ status: 'running' }, 'started');
    change({ progress: progress(0.5) }, 'progress');
    await vi.advanceTimersByTimeAsync(1_000);
    const late = new Reader();
    const watching = feed.watch('j', late);
    await vi.advanceTimersByTimeAsync(1);
    expect(types(late.got)).toEqual(['status', 'progress']);
    expect(watches).toBe(1);
    early.unsubscribe();
    watching.unsubscribe();
    expect(feed.watchers).toBe(0);
    expect(vi.getTimerCount()).toBe(0);
    feed.watch('j', new Reader()).unsubscribe();
    expect(watches).toBe(2);
  });

  it('keeps for a slow watcher the newest state, and nothing else', async () => {
    const slow = new Reader();
    const watching = feed.watch('j', slow);
    await vi.advanceTimersByTimeAsync(1);
    slow.ready = false;
    change({ status: 'running' }, 'started');
    for (let step = 1; step <= 50; step += 1) {
      change({ progress: progress(step / 50), preview: preview(step) }, 'preview');
      await vi.advanceTimersByTimeAsync(600);
    }
    expect(types(slow.got)).toEqual(['status']);
    slow.drain();
    await vi.advanceTimersByTimeAsync(1);
    expect(slow.got.slice(1)).toMatchObject([
      { type: 'status' },
      { type: 'progress', progress: { value: 1 } },
      { type: 'preview', preview: { bytes: { length: 50 } } },
    ]);
    slow.ready = false;
    end();
    await vi.advanceTimersByTimeAsync(1);
    expect(watching.closed).toBe(false);
    slow.drain();
    await vi.advanceTimersByTimeAsync(1);
    expect([slow.got.at(-1)?.type, watching.closed]).toEqual(['status', true]);
  });

  it('tells progress five times a second at most, previews twice, and always the newest in the end', async () => {
    const reader = new Reader();
    const watching = feed.watch('j', reader);
    await vi.advanceTimersByTimeAsync(1);
    change({ status: 'running' }, 'started');
    for (let step = 0; step < 1_000; step += 1) {
      const type = step % 2 === 0 ? 'progress' : 'preview';
      change({ progress: progress(step), preview: preview(step + 1) }, type);
      await vi.advanceTimersByTimeAsync(1);
    }
    await vi.advanceTimersByTimeAsync(600);
    const count = (type: string) => types(reader.got).filter((name) => name === type).length;
    expect(count('progress')).toBeLessThan(12);
    expect(count('preview')).toBeLessThan(5);
    expect(reader.got.findLast(({ type }) => type === 'progress')).toMatchObject({
      progress: { value: 999 },
    });
    expect(reader.got.findLast(({ type }) => type === 'preview')).toMatchObject({
      preview: { bytes: { length: 1_000 } },
    });
    watching.unsubscribe();
    expect(vi.getTimerCount()).toBe(0);
  });

  it('looks where a waiting job is in line, once a second for all', async () => {
    const reader = new Reader();
    const watching = feed.watch('j', reader);
    await vi.advanceTimersByTimeAsync(1);
    forecast = { ...forecast, position: 2, startsInMs: 10_000 };
    await vi.advanceTimersByTimeAsync(1_000);
    // The same guess, a little later.
    forecast = { ...forecast, startsInMs: 9_500 };
    await vi.advanceTimersByTimeAsync(1_000);
    expect(reader.got.map((told) => told.type === 'status' && told.forecast.position)).toEqual([3, 2]);
    watching.unsubscribe();
  });

  it('ends without an end where the job is left to the next process', async () => {
    const reader = new Reader();
    const watching = feed.watch('j', reader);
    await vi.advanceTimersByTimeAsync(1);
    updates.complete();
    await vi.advanceTimersByTimeAsync(1);
    expect([types(reader.got), watching.closed]).toEqual([['status'], true]);
  });
});
