import { Injectable } from '@nestjs/common';
import { finalize, type Observable, ReplaySubject, share, type Subscription } from 'rxjs';
import { ComfyService } from '../comfy/index.js';
import { noSuchJob, ProblemException } from '../problem/index.js';
import { type CallerKey, shareLimits, Shares } from '../shares/index.js';
import { FanOut } from './fan-out.js';
import type { JobSnapshot } from './job-snapshot.js';
import { jobSnapshots } from './job-snapshots.js';
import { pump, type Sink } from './pump.js';
import { SharedChanges } from './shared-changes.js';

/** Watchers in all, whichever face they came through. */
export const MAX_WATCHERS = 10_000;

/** Jobs as faces watch them: paced, shared by all watchers of a job, and no faster than the slowest sink wants. */
@Injectable()
export class JobFeed {
  private readonly jobs = new Map<string, Observable<JobSnapshot>>();
  private readonly changes = new SharedChanges();
  private readonly fanOut: FanOut;
  private readonly shares = new Shares(shareLimits(MAX_WATCHERS));

  constructor(private readonly comfy: ComfyService) {
    // While the service stops, connections are closed right after the last jobs have ended.
    this.fanOut = new FanOut(() => !comfy.accepting);
  }

  /**
   * Brings what happens to a job to a sink, at the sink's pace.
   * @param caller whose share of the places it takes
   * @returns closed once the end was told; unsubscribe when the sink goes away
   * @throws ProblemException `not_found` · `too_many_streams`
   */
  watch(id: string, sink: Sink, caller: CallerKey = ''): Subscription {
    if (this.comfy.find(id) === undefined) throw noSuchJob();
    const exhausted = this.shares.exhausted(caller);
    if (exhausted !== undefined) {
      throw new ProblemException(
        'too_many_streams',
        exhausted === 'all'
          ? 'Too many watch jobs of this server. Try again later.'
          : 'Too many watch jobs from where you are. End some, or try again later.',
        { retry_after: 5 },
      );
    }
    this.shares.take(caller);
    const subscription = pump(this.snapshotsOf(id), sink, { fanOut: this.fanOut, changes: this.changes });
    subscription.add(() => {
      this.shares.release(caller);
    });
    return subscription;
  }

  /** Watchers now, 0 to `MAX_WATCHERS`. */
  get watchers(): number {
    return this.shares.size;
  }

  /**
   * The newest snapshot first, then whenever something changed. Completes after the final one, or without it where the engine
   * lets go of the job. Subscribing counts as watching: a caller who hangs up does not cancel the job.
   */
  private snapshotsOf(id: string): Observable<JobSnapshot> {
    const shared = this.jobs.get(id) ?? this.open(id);
    this.jobs.set(id, shared);
    return shared;
  }

  private open(id: string): Observable<JobSnapshot> {
    return jobSnapshots(this.comfy, id).pipe(
      finalize(() => this.jobs.delete(id)),
      share({ connector: () => new ReplaySubject(1) }),
    );
  }
}
