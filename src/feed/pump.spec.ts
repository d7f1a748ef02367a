import { Subject } from 'rxjs';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { JobStatus } from '../comfy/index.js';
import type { JobChange } from './changes.js';
import { FanOut } from './fan-out.js';
import type { JobSnapshot } from './job-snapshot.js';
import { pump, type Sink } from './pump.js';
import { SharedChanges } from './shared-changes.js';

class TestSink implements Sink {
  ready = true;
  readonly drained$ = new Subject<void>();
  readonly told: JobChange[] = [];

  send(changes: readonly JobChange[]): void {
    this.told.push(...changes);
  }

  get statuses(): unknown[] {
    return this.told.map((change) => change.type === 'status' && change.status);
  }
}

const at = (status: JobStatus): JobSnapshot => ({
  state: { id: 'job', status, times: { created: 0 }, attempts: [], outputs: [] },
  forecast: { position: undefined, startsInMs: undefined, endsInMs: undefined },
});

describe('bringing snapshots to sinks', () => {
  let source: Subject<JobSnapshot>;
  let hurried: boolean;
  let means: { fanOut: FanOut; changes: SharedChanges };
  // What is scheduled in a turn comes one fake millisecond later.
  const turn = () => vi.advanceTimersByTime(1);

  beforeEach(() => {
    vi.useFakeTimers();
    source = new Subject();
    hurried = false;
    means = { fanOut: new FanOut(() => hurried), changes: new SharedChanges() };
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  it('lets go of a sink that throws, and tells the others', () => {
    const [broken, sound] = [new TestSink(), new TestSink()];
    broken.send = () => {
      throw new TypeError('broken');
    };
    const watches = [broken, sound].map((sink) => pump(source, sink, means));
    source.next(at('queued'));
    turn();
    expect(watches.map(({ closed }) => closed)).toEqual([true, false]);
    source.next(at('running'));
    turn();
    expect(sound.statuses).toEqual(['queued', 'running']);
  });

  it('tells nothing more to who left, also while it waited', () => {
    const sink = new TestSink();
    sink.ready = false;
    const watch = pump(source, sink, means);
    source.next(at('queued'));
    turn();
    expect(sink.drained$.observed).toBe(true);
    watch.unsubscribe();
    sink.ready = true;
    sink.drained$.next();
    turn();
    expect([sink.told, sink.drained$.observed, source.observed]).toEqual([[], false, false]);
  });

  it('serves a slice in each turn, and the newest to those whose turn comes later', () => {
    const sinks = Array.from({ length: 250 }, () => new TestSink());
    for (const sink of sinks) pump(source, sink, means);
    source.next(at('queued'));
    vi.advanceTimersToNextTimer();
    expect(sinks.filter(({ told }) => told.length > 0)).toHaveLength(100);
    source.next(at('running'));
    source.next(at('succeeded'));
    source.complete();
    for (let count = 0; count < 10; count += 1) turn();
    expect(sinks[0]?.statuses).toEqual(['queued', 'succeeded']);
    expect(sinks.slice(100).every(({ statuses }) => statuses.join() === 'succeeded')).toBe(true);
  });

  it('tells at once when there may be no later turn', () => {
    const sink = new TestSink();
    pump(source, sink, means);
    hurried = true;
    source.next(at('failed'));
    expect(sink.statuses).toEqual(['failed']);
  });
});
