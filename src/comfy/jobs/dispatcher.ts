import { interval, merge, Subscription } from 'rxjs';
import type { BackendPool } from '../backends/index.js';
import { ComfyError } from '../comfy.error.js';
import type { Job } from './job.js';
import type { JobQueue } from './job-queue.port.js';
import { type JobRunner, toFailure } from './job-runner.js';

/** Gives waiting jobs to free backends: nothing is handed out before somebody can start on it. */
export class Dispatcher {
  private readonly subscription = new Subscription();

  constructor(
    private readonly queue: JobQueue,
    private readonly pool: BackendPool,
    private readonly runner: JobRunner,
    /** Milliseconds that jobs wait while no backend is there; a ComfyUI that restarts is back in a few seconds. */
    private readonly noBackendAfterMs: number,
  ) {}

  start(): void {
    this.subscription.add(merge(this.queue.arrivals$, this.pool.capacity$).subscribe(() => this.handOut()));
    this.subscription.add(interval(500).subscribe(() => this.giveUp()));
  }

  stop(): void {
    this.subscription.unsubscribe();
  }

  /** Has no backend been there for so long that waiting makes no sense? */
  get hopeless(): boolean {
    return this.pool.downMs >= this.noBackendAfterMs;
  }

  private handOut(): void {
    for (let backend = this.pool.pick(); backend !== undefined; backend = this.pool.pick()) {
      const job = this.queue.take();
      if (job === undefined) return;
      void this.runner.run(job, backend);
    }
  }

  private giveUp(): void {
    if (!this.hopeless) return;
    for (let job = this.queue.take(); job !== undefined; job = this.queue.take()) failWithoutBackend(job);
  }
}

export function noBackend(): ComfyError {
  return new ComfyError('no_backend', 'No ComfyUI can be reached at the moment. Try again later.');
}

function failWithoutBackend(job: Job): void {
  job.apply({ type: 'failed', at: Date.now(), failure: toFailure(noBackend()) });
}
