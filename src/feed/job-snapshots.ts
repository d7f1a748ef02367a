import { Observable, type Subscriber } from 'rxjs';
import type { ComfyService, JobState } from '../comfy/index.js';
import { forecastChanged } from './forecast-change.js';
import type { JobSnapshot } from './job-snapshot.js';
import { Pacer } from './pacer.js';

/** What a feed needs of the engine. */
export type FeedSource = Pick<ComfyService, 'watch' | 'forecast'>;

/** Milliseconds between two looks at the forecast of a job in line, and of one that runs. */
const LOOK_QUEUED_MS = 1_000;
const LOOK_RUNNING_MS = 5_000;

/** A job's snapshots: now, at every change worth telling, at its end. Cold; each subscriber costs timers, so share it. */
export function jobSnapshots(source: FeedSource, id: string): Observable<JobSnapshot> {
  return new Observable((subscriber) => {
    const channel = new JobChannel(source, id, subscriber);
    const subscription = source.watch(id, { progress: true }).subscribe({
      next: ({ state }) => channel.take(state),
      error: (error: unknown) => subscriber.error(error),
      complete: () => subscriber.complete(),
    });
    return () => {
      subscription.unsubscribe();
      channel.close();
    };
  });
}

class JobChannel {
  private readonly pacer = new Pacer();
  private told: JobSnapshot | undefined;
  private holding: NodeJS.Timeout | undefined;
  private looking: NodeJS.Timeout | undefined;

  constructor(
    private readonly source: FeedSource,
    private readonly id: string,
    private readonly subscriber: Subscriber<JobSnapshot>,
  ) {}

  take(newest: JobState): void {
    clearTimeout(this.holding);
    const now = performance.now();
    const state = this.pacer.next(newest, now);
    if (state !== undefined) this.tell(state);
    const heldFor = this.pacer.heldFor(newest, now);
    // Whoever was told may have left.
    if (heldFor === undefined || this.subscriber.closed) return;
    this.holding = setTimeout(() => this.take(newest), heldFor);
  }

  close(): void {
    clearTimeout(this.holding);
    clearTimeout(this.looking);
  }

  private tell(state: JobState): void {
    const { told } = this;
    if (told !== undefined && told.state.status === state.status) {
      return this.emit({ state, forecast: told.forecast });
    }
    this.emit({ state, forecast: this.source.forecast(this.id) });
    this.lookLater();
  }

  /** Nothing happens to the job, and yet those before it go. */
  private look(): void {
    const { told } = this;
    if (told === undefined) return;
    const forecast = this.source.forecast(this.id);
    if (forecastChanged(told.forecast, forecast)) this.emit({ state: told.state, forecast });
    this.lookLater();
  }

  private lookLater(): void {
    clearTimeout(this.looking);
    if (this.subscriber.closed) return;
    const waits = this.told?.state.status === 'queued';
    this.looking = setTimeout(() => this.look(), waits ? LOOK_QUEUED_MS : LOOK_RUNNING_MS);
  }

  private emit(snapshot: JobSnapshot): void {
    this.told = snapshot;
    this.subscriber.next(snapshot);
  }
}
