import { BehaviorSubject, distinctUntilChanged, map, Observable, Subject } from 'rxjs';
import type { InputFile } from '../backends/index.js';
import { initialState, isFinal, reduceJob } from './job.reducer.js';
import { modelsOf, shapeOf } from '../workflow/index.js';
import type { JobEvent, JobRequest, JobState } from './job.types.js';

/** A job's state, and the event that led to it; the first a watcher gets is the state alone. */
export interface JobUpdate {
  state: JobState;
  event?: JobEvent;
}

export interface WatchOptions {
  /** See `Job.watch`. @default false */
  progress?: boolean;
}

/** One workflow on its way, and those who watch it. */
export class Job {
  private current: JobState;
  private readonly updates = new Subject<JobUpdate>();
  private readonly end = new Subject<void>();
  private readonly abort = new AbortController();
  /** Model files that the workflow loads. */
  readonly models: readonly string[];
  readonly priority: number;
  readonly caller: string;
  /** Does it come from an earlier process? Then prompts may be about that nobody knows of. */
  readonly restored: boolean;
  private pending: JobRequest | undefined;
  private watching = 0;
  private readonly progressWatchers = new BehaviorSubject(0);
  private released = false;
  private knownShape: string | undefined;
  private held = false;
  private brought: readonly InputFile[] | undefined;

  /** @param id lower-case UUID @param state where it stands already, after a restart of ours */
  constructor(
    readonly id: string,
    request: JobRequest,
    now: number,
    state?: JobState,
  ) {
    this.pending = request;
    this.models = modelsOf(request.workflow);
    this.priority = request.priority;
    this.caller = request.caller;
    this.restored = state !== undefined;
    this.current = state ?? initialState(id, now, request.seeds);
  }

  get state(): JobState {
    return this.current;
  }

  /** What to do. Let go when the job ends: a workflow can be large. */
  get request(): JobRequest | undefined {
    return this.pending;
  }

  /**
   * What decides how long it takes: see `shapeOf`. Worked out when it is first asked for, since nobody should wait for it who
   * hands in a job; empty for one that ended before that.
   */
  get shape(): string {
    this.knownShape ??= this.pending === undefined ? '' : shapeOf(this.pending.workflow);
    return this.knownShape;
  }

  /** May it be given to a backend? Not before its files are here. */
  get ready(): boolean {
    return !this.held;
  }

  /** Files that it names; undefined: nobody has brought them yet. */
  get inputs(): readonly InputFile[] | undefined {
    return this.brought;
  }

  /** It waits for files, until `admit`. */
  hold(): void {
    this.held = true;
  }

  admit(inputs: readonly InputFile[]): void {
    this.held = false;
    this.brought = inputs;
  }

  /** Aborted when the job is cancelled or let go; whoever works for it stops. */
  get signal(): AbortSignal {
    return this.abort.signal;
  }

  /** Emits once, when the job ends or is let go. Not counted as watching. */
  get ended$(): Observable<void> {
    return this.end;
  }

  /** Every change, as `watch` tells them. Not counted as watching, and heard before it by whoever subscribes early. */
  get changes$(): Observable<JobUpdate> {
    return this.updates;
  }

  get watchers(): number {
    return this.watching;
  }

  /** Does somebody else go on with it, after a restart of ours? Then nothing more happens to it here. */
  get letGo(): boolean {
    return this.released;
  }

  /** Whether somebody watches its progress; the current answer first. */
  get progressWatched$(): Observable<boolean> {
    return this.progressWatchers.pipe(
      map((count) => count > 0),
      distinctUntilChanged(),
    );
  }

  /**
   * The state now, then every change; completes after the end. Watching has no effect on the job.
   * @param progress does the watcher need the progress as exactly as it can be known?
   */
  watch({ progress = false }: WatchOptions = {}): Observable<JobUpdate> {
    return new Observable((subscriber) => {
      subscriber.next({ state: this.current });
      if (isFinal(this.current) || this.released) {
        subscriber.complete();
        return undefined;
      }
      this.watching += 1;
      const subscription = this.updates.subscribe(subscriber);
      // After subscribing: what is known better now reaches this watcher, too.
      if (progress) this.progressWatchers.next(this.progressWatchers.value + 1);
      return () => {
        this.watching -= 1;
        if (progress) this.progressWatchers.next(this.progressWatchers.value - 1);
        subscription.unsubscribe();
      };
    });
  }

  apply(event: JobEvent): void {
    if (isFinal(this.current) || this.released) return;
    this.current = reduceJob(this.current, event);
    const ended = isFinal(this.current);
    if (ended) this.pending = undefined;
    this.updates.next({ state: this.current, event });
    if (ended) this.finish(new Error(`The job ${this.current.status}`));
  }

  /** Leaves the job as it is, for the next process to go on with; watchers are told no end. */
  release(): void {
    if (isFinal(this.current)) return;
    this.released = true;
    this.finish(new Error('The job is let go'));
  }

  private finish(reason: Error): void {
    this.updates.complete();
    this.end.next();
    this.end.complete();
    if (this.current.status !== 'succeeded') this.abort.abort(reason);
  }
}
