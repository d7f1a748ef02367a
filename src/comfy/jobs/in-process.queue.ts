import { Subject, type Observable } from 'rxjs';
import { ComfyError } from '../comfy.error.js';
import { isFinal } from './job.reducer.js';
import type { Job } from './job.js';
import { JobQueue } from './job-queue.port.js';
import { Line, type Place } from './line.js';

/** The line in the memory of this process. */
export class InProcessQueue extends JobQueue {
  private readonly line: Line;
  /** Places of jobs that are being worked on. */
  private readonly taken = new Map<string, Place>();
  private readonly known = new Map<string, Job>();
  private readonly arrivals = new Subject<void>();

  constructor(maxWaiting: number) {
    super();
    this.line = new Line(maxWaiting);
  }

  expectRoom(caller: string): void {
    const exhausted = this.line.exhausted(caller);
    if (exhausted === undefined) return;
    throw new ComfyError(
      'queue_full',
      exhausted === 'all'
        ? `${this.line.size} jobs are waiting already. Try again in a moment.`
        : `${this.line.size} jobs are waiting already, and yours have their share of the places (MAX_QUEUE). Try again in a moment.`,
    );
  }

  add(job: Job): void {
    this.line.add(job, job.priority, job.caller);
    this.known.set(job.id, job);
    job.ended$.subscribe(() => this.retire(job));
    this.arrivals.next();
  }

  admit(job: Job): void {
    if (this.known.has(job.id)) this.arrivals.next();
  }

  first(count: number): Job[] {
    return this.line.first(count);
  }

  take(job: Job): boolean {
    const place = this.line.serve(job.id);
    if (place === undefined) return false;
    this.taken.set(job.id, place);
    return true;
  }

  putBack(job: Job): void {
    const place = this.taken.get(job.id);
    if (place === undefined || isFinal(job.state) || job.letGo) return;
    this.taken.delete(job.id);
    this.line.restore(place);
    this.arrivals.next();
  }

  find(id: string): Job | undefined {
    return this.known.get(id);
  }

  position(id: string): number | undefined {
    return this.line.position(id);
  }

  get waiting(): number {
    return this.line.size;
  }

  unfinished(): Job[] {
    return [...this.known.values()];
  }

  get arrivals$(): Observable<void> {
    return this.arrivals;
  }

  private retire(job: Job): void {
    this.line.remove(job.id);
    this.taken.delete(job.id);
    this.known.delete(job.id);
  }
}
