import { randomUUID } from 'node:crypto';
import {
  type BeforeApplicationShutdown,
  Injectable,
  Logger,
  type OnApplicationBootstrap,
} from '@nestjs/common';
import { EMPTY, type Observable, skip, Subject } from 'rxjs';
import { BackendPool } from './backends/index.js';
import { ComfyError } from './comfy.error.js';
import {
  Dispatcher,
  Job,
  JobQueue,
  type JobState,
  type JobUpdate,
  noBackend,
  toFailure,
} from './jobs/index.js';
import { findOutputNode, parseWorkflow } from './workflow/index.js';

export interface SubmitRequest {
  /** An API-format workflow, as it came from the caller. */
  workflow: unknown;
  /** The node whose files are wanted. Without it: the only node that makes files, or the first that saves to `output`. */
  outputNode?: string | number | undefined;
}

/** How a backend is, for readiness and operators. */
export interface BackendStatus {
  name: string;
  connected: boolean;
  slots: number;
  busySlots: number;
}

/** The engine's front door: every face submits, watches and cancels here, and knows nothing of what lies behind. */
@Injectable()
export class ComfyService implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private readonly logger = new Logger(ComfyService.name);
  private readonly submissions = new Subject<JobState>();
  private stopping = false;

  constructor(
    private readonly queue: JobQueue,
    private readonly pool: BackendPool,
    private readonly dispatcher: Dispatcher,
  ) {}

  /** State of every backend. */
  get backends(): BackendStatus[] {
    return this.pool.backends.map(({ name, connected, slots, busySlots }) => ({
      name,
      connected,
      slots,
      busySlots,
    }));
  }

  /** Jobs waiting for a backend. */
  get waiting(): number {
    return this.queue.waiting;
  }

  /**
   * Makes a job of a workflow and puts it in line.
   * @throws ComfyError `invalid_workflow` · `workflow_format_ui` · `output_node_not_found` · `queue_full` · `no_backend` ·
   * `shutting_down`
   */
  submit(request: SubmitRequest): JobState {
    const workflow = parseWorkflow(request.workflow);
    const outputNode =
      request.outputNode === undefined ? undefined : findOutputNode(workflow, request.outputNode);
    if (this.stopping) throw shuttingDown();
    if (this.dispatcher.hopeless) throw noBackend();
    const job = new Job(randomUUID(), { workflow, outputNode }, Date.now());
    this.queue.add(job);
    this.submissions.next(job.state);
    return job.state;
  }

  /** Every job as it is accepted, whichever face it came through; `watch` it from there. */
  get submitted$(): Observable<JobState> {
    return this.submissions;
  }

  /** A job that waits, runs, or ended not long ago. */
  find(id: string): JobState | undefined {
    return this.queue.find(id)?.state;
  }

  /**
   * The job's state now, then every change until its end; completes at once for an unknown id. Unsubscribing has no
   * effect on the job: see `abandon`.
   */
  watch(id: string): Observable<JobUpdate> {
    return this.queue.find(id)?.watch() ?? EMPTY;
  }

  /** Jobs that wait before this one; undefined where it does not wait. */
  position(id: string): number | undefined {
    return this.queue.position(id);
  }

  /** Ends a job: a waiting one leaves the line, a running one is stopped on its backend. @returns false: it had ended */
  cancel(id: string): boolean {
    const job = this.queue.find(id);
    if (job === undefined || job.state.times.finished !== undefined) return false;
    job.apply({ type: 'cancelled', at: Date.now() });
    this.logger.log(`Job ${id}: cancelled`);
    return true;
  }

  /** A watcher has gone for good: cancels the job unless somebody else watches it. */
  abandon(id: string): void {
    if (this.queue.find(id)?.watchers === 0) this.cancel(id);
  }

  onApplicationBootstrap(): void {
    this.pool.open();
    this.dispatcher.start();
    for (const { name, connected$ } of this.pool.backends) {
      connected$.pipe(skip(1)).subscribe((connected) => {
        if (connected) this.logger.log(`Connected to ComfyUI at ${name}`);
        else if (!this.stopping) this.logger.warn(`Lost the connection to ComfyUI at ${name}; trying again`);
      });
    }
    this.logger.log(`Connecting to ComfyUI at ${this.pool.backends.map(({ name }) => name).join(', ')}`);
  }

  /** Takes no more jobs, tells everybody who waits, stops what runs and closes every connection. */
  async beforeApplicationShutdown(): Promise<void> {
    this.stopping = true;
    this.dispatcher.stop();
    const failure = toFailure(shuttingDown());
    for (const job of this.queue.unfinished()) job.apply({ type: 'failed', at: Date.now(), failure });
    await this.pool.close();
  }
}

function shuttingDown(): ComfyError {
  return new ComfyError('shutting_down', 'The server is shutting down. Try again in a moment.');
}
