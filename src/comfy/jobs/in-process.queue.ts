import { Subject, type Observable } from 'rxjs';
import { ComfyError } from '../comfy.error.js';
import { isFinal } from './job.reducer.js';
import type { Job } from './job.js';
import { JobQueue } from './job-queue.port.js';

/** Ended jobs remembered, so that a caller who waited too long can still fetch the result. */
const KEPT_ENDED = 1_000;

/** First come, first served, in the memory of this process; a restart forgets everything. */
export class InProcessQueue extends JobQueue {
  /** Insertion order is the order of the line. */
  private readonly line = new Map<string, Job>();
  private readonly known = new Map<string, Job>();
  private readonly ended: string[] = [];
  private readonly arrivals = new Subject<void>();

  constructor(private readonly maxWaiting: number) {
    super();
  }

  add(job: Job): void {
    if (this.line.size >= this.maxWaiting) {
      throw new ComfyError(
        'queue_full',
        `${this.line.size} jobs are waiting already. Try again in a moment.`,
      );
    }
    this.line.set(job.id, job);
    this.known.set(job.id, job);
    job.ended$.subscribe(() => this.retire(job));
    this.arrivals.next();
  }

  take(): Job | undefined {
    for (const [id, job] of this.line) {
      this.line.delete(id);
      return job;
    }
    return undefined;
  }

  remove(id: string): boolean {
    return this.line.delete(id);
  }

  find(id: string): Job | undefined {
    return this.known.get(id);
  }

  position(id: string): number | undefined {
    let position = 0;
    for (const waiting of this.line.keys()) {
      if (waiting === id) return position;
      position += 1;
    }
    return undefined;
  }

  get waiting(): number {
    return this.line.size;
  }

  unfinished(): Job[] {
    return [...this.known.values()].filter((job) => !isFinal(job.state));
  }

  get arrivals$(): Observable<void> {
    return this.arrivals;
  }

  private retire(job: Job): void {
    this.line.delete(job.id);
    this.ended.push(job.id);
    if (this.ended.length > KEPT_ENDED) {
      const oldest = this.ended.shift();
      if (oldest !== undefined) this.known.delete(oldest);
    }
  }
}
