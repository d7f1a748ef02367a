import { changesBetween, type JobChange, type Seen } from './changes.js';
import type { JobSnapshot } from './job-snapshot.js';

/** Watchers who keep up have all seen the same: what they have to be told is worked out once, and is the same object. */
export class SharedChanges {
  private readonly nothing = {};
  private readonly known = new WeakMap<JobSnapshot, WeakMap<object, readonly JobChange[]>>();

  /** As `changesBetween`. */
  between(seen: Seen | undefined, snapshot: JobSnapshot): readonly JobChange[] {
    const from = seen ?? this.nothing;
    const bySeen = this.known.get(snapshot) ?? new WeakMap<object, readonly JobChange[]>();
    const changes = bySeen.get(from) ?? changesBetween(seen, snapshot);
    this.known.set(snapshot, bySeen.set(from, changes));
    return changes;
  }
}
