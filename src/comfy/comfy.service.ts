import { randomUUID } from 'node:crypto';
import {
  type BeforeApplicationShutdown,
  Inject,
  Injectable,
  Logger,
  type OnApplicationBootstrap,
} from '@nestjs/common';
import {
  distinctUntilChanged,
  EMPTY,
  filter,
  forkJoin,
  lastValueFrom,
  map,
  type Observable,
  skip,
  startWith,
  Subject,
  takeUntil,
  timer,
} from 'rxjs';
import {
  type Backend,
  type BackendFailure,
  type BackendPhase,
  BackendPool,
  type BackendRunInfo,
  type Circuit,
} from './backends/index.js';
import { ComfyError } from './comfy.error.js';
import { COMFY_OPTIONS, type ComfyOptions } from './comfy.module-definition.js';
import {
  Dispatcher,
  Forecaster,
  Job,
  type JobForecast,
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
  /** −100 to 100; higher goes first. @default 0 */
  priority?: number | undefined;
  /** Who asks: callers get their turns in turn, whoever sends more. @default '' */
  caller?: string | undefined;
}

/** How a backend is, for readiness and operators. Times are milliseconds since the epoch. */
export interface BackendStatus {
  name: string;
  phase: BackendPhase;
  phaseSince: number;
  circuit: Circuit;
  /** Gets no more jobs, because the operator said so. */
  draining: boolean;
  connected: boolean;
  /** Gets jobs, now or as soon as a slot is free. */
  usable: boolean;
  slots: number;
  busySlots: number;
  running: BackendRunInfo[];
  /** Model files used lately, the newest first. */
  models: { name: string; at: number }[];
  succeeded: number;
  failed: number;
  lastFailure: BackendFailure | undefined;
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
    private readonly forecaster: Forecaster,
    @Inject(COMFY_OPTIONS) private readonly options: ComfyOptions,
  ) {}

  /** State of every backend. */
  get backends(): BackendStatus[] {
    return this.pool.backends.map(statusOf);
  }

  /** False once the application stops: what comes now is refused. */
  get accepting(): boolean {
    return !this.stopping;
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
    const { outputNode: wanted, priority = 0, caller = '' } = request;
    const workflow = parseWorkflow(request.workflow);
    const outputNode = wanted === undefined ? undefined : findOutputNode(workflow, wanted);
    if (this.stopping) throw shuttingDown();
    if (this.dispatcher.hopeless) throw noBackend();
    const job = new Job(randomUUID(), { workflow, outputNode, priority, caller }, Date.now());
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

  /** Where a job is in line, and when it will be done as far as that is known. */
  forecast(id: string): JobForecast {
    return this.forecaster.forecast(id);
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
    for (const backend of this.pool.backends) {
      backend.changed$
        .pipe(
          map(() => conditionOf(backend)),
          startWith(conditionOf(backend)),
          distinctUntilChanged(),
          skip(1),
          filter(() => !this.stopping),
        )
        .subscribe((condition) => this.report(backend, condition));
    }
    this.logger.log(`Connecting to ComfyUI at ${this.pool.backends.map(({ name }) => name).join(', ')}`);
  }

  /** No more jobs for a backend; what it has it may finish. @returns undefined where there is none of this name */
  drain(name: string): BackendStatus | undefined {
    const backend = this.pool.find(name);
    backend?.drain();
    return backend && statusOf(backend);
  }

  /** The end of `drain`. @returns undefined where there is none of this name */
  undrain(name: string): BackendStatus | undefined {
    const backend = this.pool.find(name);
    backend?.undrain();
    return backend && statusOf(backend);
  }

  /**
   * Takes no more jobs, and tells those who wait in line; what runs has the grace time to end. What then remains is stopped
   * on its backend and told so, and every connection closed.
   */
  async beforeApplicationShutdown(): Promise<void> {
    this.stopping = true;
    this.end(this.queue.unfinished().filter(({ state }) => state.status === 'queued'));
    const running = this.queue.unfinished();
    if (running.length > 0) {
      this.logger.log(
        `Stopping: ${running.length} jobs have ${this.options.shutdownGraceMs ?? 25_000} ms to end`,
      );
      await lastValueFrom(
        forkJoin(running.map(({ ended$ }) => ended$)).pipe(
          takeUntil(timer(this.options.shutdownGraceMs ?? 25_000)),
        ),
        { defaultValue: undefined },
      );
    }
    this.dispatcher.stop();
    this.end(this.queue.unfinished());
    await this.pool.close();
  }

  private end(jobs: readonly Job[]): void {
    const failure = toFailure(shuttingDown());
    for (const job of jobs) job.apply({ type: 'failed', at: Date.now(), failure });
  }

  private report({ name, lastFailure, circuit }: Backend, condition: Condition): void {
    switch (condition) {
      case 'unreachable':
        return this.logger.warn(`Lost the connection to ComfyUI at ${name}; trying again`);
      case 'checking':
        return this.logger.debug(`Connected to ComfyUI at ${name}; looking whether it is in order`);
      case 'resting': {
        const seconds = circuit.state === 'open' ? Math.ceil((circuit.until - Date.now()) / 1_000) : 0;
        return this.logger.warn(
          `ComfyUI at ${name} gets no jobs for ${seconds} s: ${lastFailure?.message ?? 'it failed'}`,
        );
      }
      case 'trial':
        return this.logger.log(`ComfyUI at ${name} gets one job on trial`);
      case 'drained':
        return this.logger.log(`ComfyUI at ${name} is drained: it gets no more jobs`);
      case 'ready':
        return this.logger.log(`ComfyUI at ${name} is ready`);
    }
  }
}

type Condition = 'unreachable' | 'checking' | 'resting' | 'trial' | 'drained' | 'ready';

/** What a backend is to the log: the first of these that is true. */
function conditionOf({ phase, circuit, draining }: Backend): Condition {
  if (phase === 'unreachable') return phase;
  if (circuit.state === 'open') return 'resting';
  if (phase === 'checking') return phase;
  if (draining) return 'drained';
  return circuit.state === 'half_open' ? 'trial' : 'ready';
}

function statusOf(backend: Backend): BackendStatus {
  const { name, phase, phaseSince, circuit, draining, usable, slots, busySlots, running, models } = backend;
  return {
    name,
    phase,
    phaseSince,
    circuit,
    draining,
    connected: phase !== 'unreachable',
    usable,
    slots,
    busySlots,
    running,
    models,
    ...backend.tally,
    lastFailure: backend.lastFailure,
  };
}

function shuttingDown(): ComfyError {
  return new ComfyError('shutting_down', 'The server is shutting down. Try again in a moment.');
}
