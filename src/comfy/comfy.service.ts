import { randomUUID } from 'node:crypto';
import { setImmediate as immediate } from 'node:timers/promises';
import {
  type BeforeApplicationShutdown,
  Inject,
  Injectable,
  Logger,
  type OnApplicationBootstrap,
} from '@nestjs/common';
import {
  defaultIfEmpty,
  distinctUntilChanged,
  EMPTY,
  filter,
  forkJoin,
  lastValueFrom,
  map,
  merge,
  of,
  type Observable,
  skip,
  startWith,
  Subject,
  Subscription,
  take,
  takeUntil,
  throttleTime,
  timer,
} from 'rxjs';
import { Assets } from '../assets/index.js';
import type { ConvertOptions } from '../images/index.js';
import {
  type Backend,
  type BackendFailure,
  type BackendPhase,
  BackendPool,
  type BackendRunInfo,
  type Circuit,
} from './backends/index.js';
import type { OutputsVia } from './client/index.js';
import { ComfyError } from './comfy.error.js';
import { COMFY_OPTIONS, type ComfyOptions } from './comfy.module-definition.js';
import { FetchedFiles, type FormFile, InputIntake, type TakenIn } from './inputs/index.js';
import {
  Dispatcher,
  Forecaster,
  InputPreparer,
  Job,
  type JobFilter,
  type JobForecast,
  type JobPage,
  JobQueue,
  JobRetention,
  JobStore,
  type JobState,
  type JobUpdate,
  lastingWarnings,
  type WatchOptions,
  noBackend,
  toFailure,
} from './jobs/index.js';
import {
  type AssetReference,
  assetReferences,
  findOutputNode,
  parseWorkflow,
  textSize,
  type Workflow,
} from './workflow/index.js';

/** References to assets in one workflow. */
const MAX_REFERENCES = 1_000;

/** Characters of the texts in one workflow, once its files are taken in. */
const MAX_TEXT = 8 * 1024 * 1024;

export interface SubmitRequest {
  /** An API-format workflow, as it came from the caller. */
  workflow: unknown;
  /** The node whose files are wanted. Without it: the only node that makes files, or the first that saves to `output`. */
  outputNode?: string | number | undefined;
  /** Everything that the workflow makes is wanted, texts as well. @default false */
  allOutputs?: boolean | undefined;
  /** What a node only showed (`type: temp`) is wanted, too, where something was saved as well. @default false */
  includeTemp?: boolean | undefined;
  /** How pictures are to come: as files, or over ComfyUI's socket where it can. @default as the options say */
  outputsVia?: OutputsVia | undefined;
  /** −100 to 100; higher goes first. @default 0 */
  priority?: number | undefined;
  /** Who asks: callers get their turns in turn, whoever sends more. @default '' */
  caller?: string | undefined;
  /** Files beside the workflow, each for one of its inputs. */
  files?: readonly FormFile[] | undefined;
  /** What becomes of the images; the originals are stored as well. `conversion_failed` where there is none, or one cannot be. */
  convert?: ConvertOptions | undefined;
  /** Passed on in the prompt's `extra_data`: keys of partner nodes. Never written down. */
  extraData?: Record<string, string> | undefined;
  /** Passed on as the prompt's `extra_pnginfo`: what save nodes write into the metadata of their files. */
  pngInfo?: Record<string, unknown> | undefined;
}

/** What else happens when a job is made; both without a pause before or after. */
export interface SubmitHooks {
  /** Is there a job already that the request is for? Then none is made. */
  instead?: () => JobState | undefined;
  /** Writes down what belongs to the job: both are on record, or neither, whenever the process may die. */
  alongside?: ((jobId: string) => void) | undefined;
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
  /** Why it gets no jobs, in a few words that name no address; undefined where it gets some, or where that is not known yet. */
  trouble: string | undefined;
}

/** Milliseconds between lines of the log that say why one ComfyUI cannot be reached. */
const REASON_EVERY_MS = 60_000;

/** The engine's front door: every face submits, watches and cancels here, and knows nothing of what lies behind. */
@Injectable()
export class ComfyService implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private readonly logger = new Logger(ComfyService.name);
  private readonly submissions = new Subject<JobState>();
  private readonly reasons = new Subscription();
  private stopping = false;

  constructor(
    private readonly store: JobStore,
    private readonly assets: Assets,
    private readonly retention: JobRetention,
    private readonly queue: JobQueue,
    private readonly pool: BackendPool,
    private readonly dispatcher: Dispatcher,
    private readonly forecaster: Forecaster,
    private readonly intake: InputIntake,
    private readonly preparer: InputPreparer,
    private readonly fetched: FetchedFiles,
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
   * Makes a job of a workflow and puts it in line, once the files that came with it are taken in. Nothing stays where that fails.
   * @throws ComfyError `invalid_workflow` · `workflow_format_ui` · `output_node_not_found` · `missing_asset` · `invalid_input` ·
   * `queue_full` · `no_backend` · `shutting_down`; StorageError; StateError
   */
  async submit(request: SubmitRequest, { instead, alongside }: SubmitHooks = {}): Promise<JobState> {
    let dismiss = () => this.intake.dismiss(request.files);
    try {
      let job = instead?.();
      if (job === undefined) {
        const taken = await this.takeIn(request);
        ({ dismiss } = taken);
        expectModest(taken.workflow);
        // Others get their turn: to look through 5,000 nodes, and to put them in line, takes tens of milliseconds each.
        await immediate();
        // From here on nothing else happens until the job is on record.
        job = instead?.();
        if (job === undefined) return this.accept(request, taken, alongside);
      }
      await dismiss();
      return job;
    } catch (error) {
      await dismiss();
      throw error;
    }
  }

  /** Every job as it is accepted, whichever face it came through; `watch` it from there. */
  get submitted$(): Observable<JobState> {
    return this.submissions;
  }

  /** A job that waits, runs, or has ended and is still remembered. @throws StateError */
  find(id: string): JobState | undefined {
    return this.queue.find(id)?.state ?? this.store.find(id);
  }

  /** Jobs that are remembered, the newest first. @throws StateError */
  list(filter: JobFilter): JobPage {
    const { jobs, next } = this.store.list(filter);
    return { jobs: jobs.map((job) => this.queue.find(job.id)?.state ?? job), next };
  }

  /** The workflow of a job as it was sent; undefined where it is not kept any more. @throws StateError */
  workflowOf(id: string): Workflow | undefined {
    return this.queue.find(id)?.request?.workflow ?? this.store.workflowOf(id);
  }

  /** Does a job that has not ended name this asset? */
  needsAsset(id: string): boolean {
    return this.queue.needsAsset(id);
  }

  /**
   * The job's state now, then every change until its end; completes at once for an unknown id, and without an end where the
   * next process goes on with the job. Unsubscribing has no effect on the job: see `abandon`.
   */
  watch(id: string, options?: WatchOptions): Observable<JobUpdate> {
    const job = this.queue.find(id);
    if (job !== undefined) return job.watch(options);
    const state = this.store.find(id);
    return state === undefined ? EMPTY : of({ state });
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
    // Before the backends are asked what they run: it may be these.
    this.restore();
    this.retention.start();
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
      this.reasons.add(
        backend.changed$
          .pipe(
            map(() => backend.unreachable?.message),
            distinctUntilChanged(),
            filter((message) => message !== undefined && !this.stopping),
            throttleTime(REASON_EVERY_MS, undefined, { leading: true, trailing: true }),
            filter((message) => message === backend.unreachable?.message),
          )
          .subscribe((why) => this.logger.warn(`ComfyUI at ${backend.name} cannot be reached: ${why}`)),
      );
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
   * Takes no more jobs; what runs has the grace time to end. What then remains is for the next process, where jobs outlive this
   * one; else those who wait in line are told at once, and what runs for too long is stopped on its backend and told so.
   */
  async beforeApplicationShutdown(): Promise<void> {
    this.stopping = true;
    this.reasons.unsubscribe();
    const { durable } = this.store;
    const waiting = this.queue.unfinished().filter(({ state }) => state.status === 'queued');
    if (durable) {
      this.dispatcher.stop();
      for (const job of waiting) job.release();
    } else this.end(waiting);
    const running = this.queue.unfinished().filter(({ state }) => state.status !== 'queued');
    if (running.length > 0) {
      this.logger.log(
        `Stopping: ${running.length} jobs have ${this.options.shutdownGraceMs ?? 25_000} ms to end`,
      );
      await lastValueFrom(
        forkJoin(running.map((job) => offItsBackend(job))).pipe(
          takeUntil(timer(this.options.shutdownGraceMs ?? 25_000)),
        ),
        { defaultValue: undefined },
      );
    }
    this.dispatcher.stop();
    if (durable) {
      this.pool.letGo();
      for (const job of this.queue.unfinished()) job.release();
    } else this.end(this.queue.unfinished());
    this.store.flush();
    await Promise.all([this.retention.stop(), this.pool.close(), this.fetched.close()]);
  }

  /** What is wrong without a look at any file is told first. */
  private takeIn({ workflow: given, files, outputNode, caller = '' }: SubmitRequest): Promise<TakenIn> {
    const workflow = parseWorkflow(given);
    if (outputNode !== undefined) findOutputNode(workflow, outputNode);
    this.expectAssets(assetReferences(workflow));
    this.expectRoom(caller);
    return this.intake.takeIn(workflow, files);
  }

  private accept(
    request: SubmitRequest,
    { workflow, media, seeds }: TakenIn,
    alongside: SubmitHooks['alongside'],
  ): JobState {
    const { outputNode: wanted, allOutputs = false, priority = 0, caller = '' } = request;
    const { includeTemp, outputsVia, convert, extraData, pngInfo } = request;
    // Taking in files may have taken a while.
    this.expectAssets(assetReferences(workflow));
    this.expectRoom(caller);
    const outputNode = wanted === undefined ? undefined : findOutputNode(workflow, wanted);
    const details = {
      workflow,
      media,
      seeds,
      outputNode,
      allOutputs,
      includeTemp,
      outputsVia,
      convert,
      priority,
      caller,
      extraData,
      pngInfo,
    };
    const job = new Job(randomUUID(), details, Date.now());
    // On record before anybody works for it, or is told of it.
    this.store.add(job, alongside);
    this.preparer.prepare(job);
    this.queue.add(job);
    this.submissions.next(job.state);
    return job.state;
  }

  /** @throws ComfyError `shutting_down` · `no_backend` · `queue_full` */
  private expectRoom(caller: string): void {
    if (this.stopping) throw shuttingDown();
    if (this.dispatcher.hopeless) throw noBackend(this.pool.troubles);
    this.queue.expectRoom(caller);
  }

  /** Goes on with what an earlier process left. */
  private restore(): void {
    const unfinished = this.store.unfinished();
    for (const { state, request } of unfinished) {
      // Files that it had kept already go when it does; it will keep them again.
      const { warnings, ...rest } = state;
      const known = { ...rest, ...lastingWarnings(warnings), outputs: [] };
      const job = new Job(state.id, request, state.times.created, known);
      this.store.follow(job);
      this.dispatcher.restore(job);
    }
    if (unfinished.length > 0)
      this.logger.log(`Going on with ${unfinished.length} jobs of before the restart`);
  }

  /** @throws ComfyError `missing_asset` */
  private expectAssets(references: readonly AssetReference[]): void {
    if (references.length > MAX_REFERENCES) {
      throw new ComfyError(
        'invalid_workflow',
        `The workflow names ${references.length} assets; this server takes ${MAX_REFERENCES}.`,
      );
    }
    for (const { id, node, input } of references) {
      if (id !== undefined && this.assets.find(id) !== undefined) continue;
      const what = JSON.stringify(id?.slice(0, 64) ?? null);
      throw new ComfyError('missing_asset', `There is no asset ${what}. Upload it first.`, {
        at: { node, input },
      });
    }
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
    trouble: backend.trouble,
  };
}

/** Completes when the job has ended, or waits in line again. */
function offItsBackend(job: Job): Observable<unknown> {
  return merge(job.ended$, job.changes$.pipe(filter(({ state }) => state.status === 'queued'))).pipe(
    take(1),
    defaultIfEmpty(undefined),
  );
}

/** It is written down, sent and held in the line as a whole. @throws ComfyError `invalid_workflow` */
function expectModest(workflow: Workflow): void {
  if (textSize(workflow) <= MAX_TEXT) return;
  throw new ComfyError(
    'invalid_workflow',
    `The texts of the workflow have more than ${MAX_TEXT} characters, files of loader nodes left out. Send large ones as files.`,
  );
}

function shuttingDown(): ComfyError {
  return new ComfyError('shutting_down', 'The server is shutting down. Try again in a moment.');
}
