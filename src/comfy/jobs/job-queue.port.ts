import type { Observable } from 'rxjs';
import type { Job } from './job.js';

/**
 * The waiting line, and the jobs that have left it and not ended. The line is ours, not ComfyUI's: so that it has a bound, a position for
 * everybody in it, and so that a waiting job can go to whichever backend is free first.
 */
export abstract class JobQueue {
  /**
   * May another job be let in?
   * @param caller who sends it: one gets a share of the places
   * @throws ComfyError `queue_full`
   */
  abstract expectRoom(caller: string): void;

  /** Puts a job in line; not bounded: see `expectRoom`. */
  abstract add(job: Job): void;

  /** A job in line has become ready. */
  abstract admit(job: Job): void;

  /** The first jobs of the line that are ready, in the order in which they should be served now. */
  abstract first(count: number): Job[];

  /** Takes a job out of the line because somebody works on it from now on. @returns false where it does not wait */
  abstract take(job: Job): boolean;

  /** Puts a job that was taken back to where it was in the line; not bounded, because it had been let in. */
  abstract putBack(job: Job): void;

  /** A job that waits or runs. */
  abstract find(id: string): Job | undefined;

  /** How many wait before it, from 0; undefined where it does not wait. An estimate: backends and priorities move others ahead. */
  abstract position(id: string): number | undefined;

  /** Jobs waiting. */
  abstract get waiting(): number;

  /** Jobs that have not ended. */
  abstract unfinished(): Job[];

  /** Does a job that has not ended name this asset? */
  needsAsset(id: string): boolean {
    return this.unfinished().some(({ request }) => request?.media.some(({ asset }) => asset === id));
  }

  /** Emits whenever a job is in line that was not. */
  abstract get arrivals$(): Observable<void>;
}
