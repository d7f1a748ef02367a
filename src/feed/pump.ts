import { Logger } from '@nestjs/common';
import { type Observable, Subscription, take } from 'rxjs';
import type { JobChange, Seen } from './changes.js';
import type { FanOut } from './fan-out.js';
import type { JobSnapshot } from './job-snapshot.js';
import type { SharedChanges } from './shared-changes.js';

/** Where a watcher's news go. */
export interface Sink {
  /** Can it take more now without piling it up? */
  readonly ready: boolean;
  /** Emits when it may have become ready again. */
  readonly drained$: Observable<unknown>;
  /** Gets what changed, in order; the final status is the last of all. */
  send(changes: readonly JobChange[]): void;
}

/**
 * Brings snapshots to a sink at the sink's pace. A slow one holds the newest snapshot and the one it saw, nothing else, and
 * is told the difference when it is ready.
 * @returns closed once the end was told, or the source ended without one; unsubscribing tells nothing more
 */
export function pump(
  source: Observable<JobSnapshot>,
  sink: Sink,
  { fanOut, changes }: { fanOut: FanOut; changes: SharedChanges },
): Subscription {
  const subscription = new Subscription();
  let newest: JobSnapshot | undefined;
  let seen: Seen | undefined;
  let ended = false;
  let waiting: Subscription | undefined;

  const serve = (): void => {
    if (newest !== undefined) {
      if (!sink.ready) return wait();
      const told = tell(newest);
      newest = undefined;
      if (!told) return subscription.unsubscribe();
    }
    if (ended) subscription.unsubscribe();
  };
  const wait = (): void => {
    if (waiting?.closed === false) return;
    // Anew each time: it goes behind those who waited longer for the same connection.
    waiting = sink.drained$.pipe(take(1)).subscribe(() => fanOut.add(serve));
  };
  const tell = (snapshot: JobSnapshot): boolean => {
    try {
      const news = changes.between(seen, snapshot);
      seen = snapshot;
      if (news.length > 0) sink.send(news);
      return true;
    } catch (error) {
      // One watcher's trouble is not the others'.
      new Logger('Feed').error(error instanceof Error ? error.stack : 'a watcher could not be told');
      return false;
    }
  };

  subscription.add(() => {
    waiting?.unsubscribe();
    fanOut.remove(serve);
  });
  subscription.add(
    source.subscribe({
      next: (snapshot) => {
        newest = snapshot;
        if (waiting?.closed !== false) fanOut.add(serve);
      },
      error: () => subscription.unsubscribe(),
      complete: () => {
        ended = true;
        if (waiting?.closed !== false) fanOut.add(serve);
      },
    }),
  );
  return subscription;
}
