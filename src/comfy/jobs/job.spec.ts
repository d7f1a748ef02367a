import { describe, expect, it } from 'vitest';
import { ComfyError } from '../comfy.error.js';
import { InProcessQueue } from './in-process.queue.js';
import { initialState, isFinal, reduceJob } from './job.reducer.js';
import { Job } from './job.js';
import type { JobEvent, JobOutput, JobState } from './job.types.js';

const request = {
  workflow: { '1': { class_type: 'A' } },
  media: [],
  outputNode: '1',
  allOutputs: false,
  priority: 0,
  caller: '',
};
const job = (id: string) => new Job(id, request, 1);
const failed: JobEvent = {
  type: 'failed',
  at: 9,
  failure: { code: 'backend_lost', message: 'lost', retryable: true },
};
const output = { key: 'image_1_a.png', node: '1' } as JobOutput;

/** What a watcher sees from now on. */
function watch(subject: Job): string[] {
  const seen: string[] = [];
  subject
    .watch()
    .subscribe({ next: ({ state }) => seen.push(state.status), complete: () => seen.push('complete') });
  return seen;
}

describe('reduceJob', () => {
  const fold = (...events: JobEvent[]): JobState => events.reduce(reduceJob, initialState('j', 1));

  it('goes from queue to success', () => {
    const state = fold(
      { type: 'started', at: 2, backend: 'gpu', promptId: 'p' },
      { type: 'preview', preview: { node: '1', mime: 'image/jpeg', bytes: new Uint8Array(3) } },
      { type: 'rendered', at: 5 },
      { type: 'succeeded', at: 6, outputs: [output] },
    );
    expect(state).toEqual({
      id: 'j',
      status: 'succeeded',
      backend: 'gpu',
      promptId: 'p',
      times: { created: 1, started: 2, rendered: 5, finished: 6 },
      attempts: [],
      outputs: [output],
    });
  });

  it('keeps warnings, each once; those of outputs end with the try that they are about', () => {
    const missing = { code: 'output_missing', message: 'gone', node: '1' } as const;
    const torn = { code: 'input_truncated', message: 'cut off', node: '2' } as const;
    const warned = fold(
      { type: 'warned', warning: torn },
      { type: 'warned', warning: missing },
      { type: 'warned', warning: { ...missing } },
    );
    expect(warned.warnings).toEqual([torn, missing]);
    expect(reduceJob(warned, { type: 'requeued' }).warnings).toEqual([torn]);
    expect(reduceJob(warned, { type: 'succeeded', at: 2, outputs: [] }).warnings).toEqual([torn, missing]);
    const many = Array.from({ length: 200 }, (_, nth): JobEvent => {
      return { type: 'warned', warning: { ...missing, message: `gone ${nth}` } };
    });
    expect(fold(...many).warnings).toHaveLength(100);
  });

  it('starts again after a try that came to nothing, and remembers it', () => {
    const attempt = {
      backend: 'gpu',
      at: 4,
      failure: { code: 'backend_lost', message: 'lost', retryable: true },
    } as const;
    const state = fold(
      { type: 'started', at: 2, backend: 'gpu', promptId: 'p' },
      { type: 'accepted', nodeErrors: { '9': { class_type: 'A', errors: [] } } },
      { type: 'rendered', at: 3 },
      { type: 'retried', attempt },
    );
    expect(state).toEqual({
      id: 'j',
      status: 'queued',
      times: { created: 1 },
      attempts: [attempt],
      outputs: [],
    });
  });

  it('collects its files as they come, and names none where it fails', () => {
    const started = fold(
      { type: 'started', at: 2, backend: 'gpu', promptId: 'p' },
      { type: 'output', output },
    );
    expect(started.outputs).toEqual([output]);
    expect(reduceJob(started, failed).outputs).toEqual([]);
  });

  it('waits again where its prompt was not found after a restart', () => {
    const state = fold({ type: 'started', at: 2, backend: 'gpu', promptId: 'p' }, { type: 'requeued' });
    expect(state).toEqual(initialState('j', 1));
  });

  it.each<JobEvent>([failed, { type: 'cancelled', at: 9 }, { type: 'succeeded', at: 9, outputs: [output] }])(
    'ends once, with $type',
    (end) => {
      const state = fold(end);
      expect(isFinal(state)).toBe(true);
      for (const late of [
        failed,
        { type: 'cancelled', at: 10 },
        { type: 'succeeded', at: 10, outputs: [] },
      ] as const) {
        expect(reduceJob(state, late)).toBe(state);
      }
    },
  );
});

describe('Job', () => {
  it('shows the state first, then every change, and completes', () => {
    const subject = job('a');
    subject.apply({ type: 'started', at: 2, backend: 'gpu', promptId: 'p' });
    const seen = watch(subject);
    subject.apply(failed);
    expect(seen).toEqual(['running', 'failed', 'complete']);
    expect(subject.signal.aborted).toBe(true);
  });

  it('shows a late watcher the end', () => {
    const subject = job('a');
    subject.apply({ type: 'cancelled', at: 3 });
    const seen = watch(subject);
    expect(seen).toEqual(['cancelled', 'complete']);
  });

  it('is left as it is when it is let go, and tells no end', () => {
    const subject = job('a');
    subject.apply({ type: 'started', at: 2, backend: 'gpu', promptId: 'p' });
    const seen = watch(subject);
    subject.release();
    subject.apply(failed);
    expect(seen).toEqual(['running', 'complete']);
    expect(subject.state.status).toBe('running');
    expect(subject.signal.aborted).toBe(true);
    expect(subject.letGo).toBe(true);
  });

  it('counts who watches, and lets go of the workflow at the end', () => {
    const subject = job('a');
    const watching = subject.watch().subscribe();
    expect(subject.watchers).toBe(1);
    watching.unsubscribe();
    expect(subject.watchers).toBe(0);
    expect(subject.request).toBe(request);
    subject.apply({ type: 'succeeded', at: 2, outputs: [] });
    expect(subject.request).toBeUndefined();
    expect(subject.signal.aborted).toBe(false);
  });
});

describe('InProcessQueue', () => {
  it('is first come, first served, with positions and a bound', () => {
    const queue = new InProcessQueue(2);
    let arrivals = 0;
    queue.arrivals$.subscribe(() => (arrivals += 1));
    const [a, b] = [job('a'), job('b')];
    queue.add(a);
    queue.add(b);
    expect(queue.position('b')).toBe(1);
    expect(() => queue.expectRoom('a')).toThrow(ComfyError);
    expect(queue.first(1)).toEqual([a]);
    expect(queue.take(a)).toBe(true);
    expect(queue.take(a)).toBe(false);
    expect(queue.position('a')).toBeUndefined();
    expect(queue.position('b')).toBe(0);
    expect(queue.waiting).toBe(1);
    expect(queue.unfinished()).toEqual([a, b]);
    expect(arrivals).toBe(2);
  });

  it('puts a job back to where it was, however long the line is', () => {
    const queue = new InProcessQueue(2);
    const [a, b, c] = [job('a'), job('b'), job('c')];
    queue.add(a);
    queue.add(b);
    queue.take(a);
    queue.add(c);
    queue.putBack(a);
    expect(queue.first(9)).toEqual([a, b, c]);
    queue.putBack(a);
    expect(queue.waiting).toBe(3);
  });

  it('does not put back what has ended', () => {
    const queue = new InProcessQueue(2);
    const a = job('a');
    queue.add(a);
    queue.take(a);
    a.apply({ type: 'cancelled', at: 2 });
    queue.putBack(a);
    expect(queue.waiting).toBe(0);
  });

  it('lets go of a job that ends while it waits', () => {
    const queue = new InProcessQueue(2);
    const waiting = job('a');
    queue.add(waiting);
    waiting.apply({ type: 'cancelled', at: 2 });
    expect(queue.first(1)).toEqual([]);
    expect(queue.find('a')).toBeUndefined();
    expect(queue.unfinished()).toEqual([]);
  });
});

it('a job knows whether somebody watches its progress; one who waits for its end does not', () => {
  const subject = job('p');
  const seen: boolean[] = [];
  subject.progressWatched$.subscribe((watched) => seen.push(watched));
  const waiting = subject.watch().subscribe();
  const [first, second] = [1, 2].map(() => subject.watch({ progress: true }).subscribe());
  first?.unsubscribe();
  waiting.unsubscribe();
  second?.unsubscribe();
  expect(seen).toEqual([false, true, false]);
});
