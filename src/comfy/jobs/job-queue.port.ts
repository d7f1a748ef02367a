import type { Observable } from 'rxjs';
import type { Job } from './job.js';

/**
 * The waiting line, and the memory of jobs. The line is ours, not ComfyUI's: so that it has a bound, a position for
 * everybody in it, and so that a waiting job can go to whichever backend is free first.
 */
export abstract class JobQueue {
  /**
   * Puts a job at the end of the line.
   * @throws ComfyError `queue_full`
   */
  abstract add(job: Job): void;

  /** Takes the first job out of the line. */
  abstract take(): Job | undefined;

  /** Takes a job out of the line because it ended while waiting. @returns false where it does not wait */
  abstract remove(id: string): boolean;

  /** A job that waits, runs, or ended not long ago. */
  abstract find(id: string): Job | undefined;

  /** How many wait before it, from 0; undefined where it does not wait. Counts, so not for hot paths. */
  abstract position(id: string): number | undefined;

  /** Jobs waiting. */
  abstract get waiting(): number;

  /** Jobs that have not ended. */
  abstract unfinished(): Job[];

  /** Emits after each `add`. */
  abstract get arrivals$(): Observable<void>;
}
