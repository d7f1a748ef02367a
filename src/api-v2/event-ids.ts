import type { JobStatus } from '../comfy/index.js';
import type { JobChange } from '../feed/index.js';

const FINAL: ReadonlySet<JobStatus> = new Set<JobStatus>(['succeeded', 'failed', 'cancelled']);

/**
 * The ids of one reader's events: `<start of the job's id>-<number>`, and `…-end` for the final status. `EventSource` sends the last one
 * back when it connects again (WHATWG HTML, 9.2.4), which tells whether it has seen the end. Nothing is replayed: a stream begins
 * with how the job is.
 */
export class EventIds {
  private readonly prefix: string;
  private count = 0;

  constructor(jobId: string) {
    this.prefix = `${jobId.slice(0, 8)}-`;
  }

  next(change: JobChange): string {
    this.count += 1;
    return `${this.prefix}${change.type === 'status' && FINAL.has(change.status) ? 'end' : this.count}`;
  }

  /** May a reader who sends this `Last-Event-ID` have missed the end? Then it is told how the job ended. */
  isBeforeEnd(lastEventId: string): boolean {
    const number = lastEventId.startsWith(this.prefix) ? lastEventId.slice(this.prefix.length) : '';
    return /^\d{1,15}$/.test(number);
  }
}
