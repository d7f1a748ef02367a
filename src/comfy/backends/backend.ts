import { randomUUID } from 'node:crypto';
import { finalize, lastValueFrom, Observable, Subject, type Subscription, takeUntil, tap } from 'rxjs';
import type { BackendAddress } from '../../config/index.js';
import {
  CLIENT_LIMITS,
  ComfyClient,
  type ClientLimits,
  type FileRef,
  type NodeClass,
  type RunEvent,
  type ViewedFile,
} from '../client/index.js';
import { ComfyError } from '../comfy.error.js';
import type { Workflow } from '../workflow/index.js';
import { type Circuit, type CircuitRules, CIRCUIT_RULES } from './circuit.js';
import { type BackendFailure, type BackendPhase, Condition, messageOf } from './condition.js';
import { RUN_DEADLINES, type RunDeadlines, withDeadlines } from './deadlines.js';
import type { Durations } from './durations.js';
import type { Experience } from './experience.js';
import { InputFolder } from './input-folder.js';
import { ModelMemory } from './model-memory.js';
import { NodeClasses } from './node-classes.js';
import { type BackendRun, startRun } from './start-run.js';

export interface BackendRules {
  /** Prompts it may hold at once: one runs, the others wait there so that the GPU never idles between two. */
  slots: number;
  deadlines?: RunDeadlines | undefined;
  circuit?: CircuitRules | undefined;
  /** A workflow that it has to run, whenever it is new or was away, before it gets jobs. */
  warmUp?: Workflow | undefined;
  client?: ClientLimits | undefined;
  /** See `ComfyClient`. */
  owner?: string | undefined;
}

/** A run on a backend, as operators see it. */
export interface BackendRunInfo {
  job: string;
  /** When it was given to the backend, and when ComfyUI began with it; milliseconds since the epoch. */
  givenAt: number;
  begunAt: number | undefined;
  /** Had a model to be loaded for it? */
  cold: boolean;
}

interface OngoingRun extends BackendRunInfo {
  models: readonly string[];
  shape: string;
  /** Is `begunAt` later than it really began? */
  late: boolean;
}

/** One ComfyUI with its slots, and all that decides whether it gets jobs. */
export class Backend {
  private readonly client: ComfyClient;
  private readonly changes = new Subject<void>();
  private readonly condition: Condition;
  private readonly subscription: Subscription;
  private readonly inputFolder: InputFolder;
  private readonly memory = new ModelMemory();
  private readonly classes: NodeClasses;
  private readonly runs = new Map<string, OngoingRun>();
  private drained = false;
  private readonly closing = new Subject<void>();
  private warmUpId: string | undefined;
  private lastGiven = 0;
  private counts = { succeeded: 0, failed: 0 };

  constructor(
    readonly address: BackendAddress,
    private readonly rules: BackendRules,
    private readonly experience: Experience,
    private readonly durations: Durations,
    /** Can another backend take jobs at the moment? */
    private readonly hasAlternative: () => boolean = () => false,
  ) {
    const { client = CLIENT_LIMITS, deadlines = RUN_DEADLINES } = rules;
    this.client = new ComfyClient(address, askingInTime(client, deadlines), rules.owner);
    this.inputFolder = new InputFolder(this.client);
    this.classes = new NodeClasses((name) => this.client.nodeClass(name));
    this.condition = new Condition({
      rules: rules.circuit ?? CIRCUIT_RULES,
      examine: () => this.examine(),
      changed: () => this.changes.next(),
    });
    this.subscription = this.client.connected$.subscribe((connected) => {
      if (connected) this.arrive();
      else this.condition.goAway();
    });
  }

  /** `host:port/base`, for logs and operators. */
  get name(): string {
    return this.address.name;
  }

  get slots(): number {
    return this.rules.slots;
  }

  get phase(): BackendPhase {
    return this.condition.phase;
  }

  /** When the phase began, in ms since the epoch. */
  get phaseSince(): number {
    return this.condition.phaseSince;
  }

  get circuit(): Circuit {
    return this.condition.circuit;
  }

  get draining(): boolean {
    return this.drained;
  }

  /** Emits whenever its phase, its circuit or its free slots have changed. */
  get changed$(): Observable<void> {
    return this.changes;
  }

  /** May it be given jobs, now or as soon as a slot is free? */
  get usable(): boolean {
    return this.condition.good && !this.drained;
  }

  get busySlots(): number {
    return this.runs.size;
  }

  get freeSlots(): number {
    if (!this.usable) return 0;
    const slots = this.circuit.state === 'half_open' ? 1 : this.rules.slots;
    return Math.max(0, slots - this.runs.size);
  }

  /** When it last got a job, in ms of `performance.now()`; 0 before the first. */
  get lastStart(): number {
    return this.lastGiven;
  }

  /** What it runs and holds now, in the order in which it was given. */
  get running(): BackendRunInfo[] {
    return [...this.runs.values()].map(({ job, givenAt, begunAt, cold }) => ({
      job,
      givenAt,
      begunAt,
      cold,
    }));
  }

  /** Models used lately, the newest first. */
  get models(): { name: string; at: number }[] {
    return this.memory.lately;
  }

  /** Jobs that ended well and badly here since the start, whoever was to blame. */
  get tally(): { succeeded: number; failed: number } {
    return this.counts;
  }

  /** The last thing it was blamed for. */
  get lastFailure(): BackendFailure | undefined {
    return this.condition.lastFailure;
  }

  /** Milliseconds until it would be done with what it has, as far as that is known. */
  get backlogMs(): number {
    const now = Date.now();
    let sum = 0;
    for (const { models, shape, cold, begunAt } of this.runs.values()) {
      const loadMs = cold ? this.experience.loadMs(models) : 0;
      const whole = this.durations.runMs(shape, this.name, loadMs) ?? this.experience.runMs(models) + loadMs;
      sum += Math.max(0, whole - (begunAt === undefined ? 0 : now - begunAt));
    }
    return sum;
  }

  /** Milliseconds that loading the models it lacks would take; 0 where it has all. */
  loadMs(models: readonly string[]): number {
    const missing = this.memory.missing(models);
    return missing.length === 0 ? 0 : (this.experience.loadMs(models) * missing.length) / models.length;
  }

  /** Models that it most likely has loaded. */
  get loaded(): ReadonlySet<string> {
    return this.memory.loaded;
  }

  /** Has it loaded any model? */
  get isCold(): boolean {
    return this.memory.isEmpty;
  }

  open(): void {
    this.client.open();
  }

  /** No more jobs; what it has it may finish. */
  drain(): void {
    this.drained = true;
    this.changes.next();
  }

  undrain(): void {
    this.drained = false;
    this.changes.next();
  }

  /**
   * `ComfyClient.run` within the deadlines, in a slot, which is taken until the prompt is off the server.
   * @throws ComfyError as `runPrompt` does, and `job_timeout` · `job_stalled`
   */
  run(request: BackendRun): Observable<RunEvent> {
    return new Observable((subscriber) => {
      const { job, models, shape, promptId } = request;
      const { deadlines = RUN_DEADLINES } = this.rules;
      const cold = this.memory.missing(models).length > 0;
      const run: OngoingRun = {
        job,
        models,
        shape,
        cold,
        givenAt: Date.now(),
        begunAt: undefined,
        late: false,
      };
      this.memory.use(models, run.givenAt);
      this.lastGiven = performance.now();
      this.runs.set(promptId, run);
      const knows = (className: string) => this.knows(className);
      const { hasAlternative } = this;
      return startRun(this.client, this.inputFolder, { ...request, hasAlternative }, knows)
        .pipe(
          withDeadlines(deadlines, deadlines.jobMs * this.rules.slots + deadlines.stallMs),
          tap({
            next: (event) => {
              if (event.type !== 'started') return;
              run.begunAt = Date.now();
              run.late = event.late ?? false;
            },
            error: (error) => {
              this.counts.failed += 1;
              this.blame(error);
            },
            complete: () => this.credit(run),
          }),
          finalize(() => void this.release(promptId)),
        )
        .subscribe(subscriber);
    });
  }

  /** A job was rendered here, and its files are safe. */
  praise(): void {
    this.condition.praise();
  }

  /** The files of such a job are safe. @param ms since it was rendered */
  learnStoring(shape: string, ms: number): void {
    this.durations.learnStoring(shape, this.name, ms);
  }

  /** A job failed because of this error, which may say something of the backend. */
  blame(error: unknown): void {
    this.condition.blame(error);
  }

  /** Has it nodes of this class? Asked once a connection. @throws BackendError where it does not say */
  async knows(className: string): Promise<boolean> {
    return (await this.classes.find(className)) !== undefined;
  }

  /** The bytes of an output. @throws BackendError */
  view(file: FileRef, signal?: AbortSignal): Promise<ViewedFile> {
    return this.client.view(file, signal);
  }

  /** Lets the server forget a prompt whose outputs are safe. */
  forget(promptId: string): void {
    this.client.forget(promptId);
  }

  /** Lets the server forget what it has cached and, if so said, its models. Never rejects: at worst nothing changes. */
  async free(what: { models: boolean }): Promise<void> {
    if (what.models) this.memory.clear();
    await this.client.free(what).catch(() => undefined);
  }

  /** What it knows of a node class; undefined where it has none of this name. @throws BackendError */
  nodeClass(name: string): Promise<NodeClass | undefined> {
    return this.classes.find(name);
  }

  /** From now on nothing is stopped there. */
  letGo(): void {
    this.client.letGo();
  }

  async close(): Promise<void> {
    this.condition.close();
    // First, so that what it runs is stopped while there are connections.
    this.closing.next();
    await this.client.close();
    this.subscription.unsubscribe();
    this.changes.complete();
  }

  private arrive(): void {
    this.memory.clear();
    this.inputFolder.forget();
    this.classes.forget();
    this.condition.arrive();
  }

  /** @throws ComfyError; BackendError */
  private async examine(): Promise<void> {
    const strays = await this.client.examine(
      (promptId) => this.runs.has(promptId) || promptId === this.warmUpId,
    );
    if (strays > 0) throw new ComfyError('backend_lost', 'A job that was given up does not stop there.');
    await this.passWarmUp();
  }

  private async passWarmUp(): Promise<void> {
    const { warmUp, deadlines = RUN_DEADLINES } = this.rules;
    if (warmUp === undefined) return;
    const promptId = randomUUID();
    this.warmUpId = promptId;
    try {
      await lastValueFrom(
        this.client
          .run({ promptId, workflow: warmUp })
          .pipe(withDeadlines(deadlines, deadlines.jobMs), takeUntil(this.closing)),
        { defaultValue: undefined },
      );
    } catch (error) {
      throw new ComfyError('backend_lost', `The warm-up failed: ${messageOf(error)}`, { cause: error });
    } finally {
      this.client.forget(promptId);
    }
  }

  private credit(run: OngoingRun): void {
    this.counts.succeeded += 1;
    if (run.begunAt === undefined || run.late) return;
    const ms = Date.now() - run.begunAt;
    this.experience.learn(run.models, run.cold, ms);
    this.durations.learnRun(run.shape, this.name, run.cold, ms);
  }

  private async release(promptId: string): Promise<void> {
    const gone = await this.client.settled(promptId);
    this.runs.delete(promptId);
    // Nobody should wait behind it.
    if (!gone && this.phase === 'ready') this.condition.doubt();
    else this.changes.next();
  }
}

/** With a silence limit that lets ComfyUI confirm a run several times before it counts as stalled. */
function askingInTime(limits: ClientLimits, { stallMs }: RunDeadlines): ClientLimits {
  return { ...limits, run: { ...limits.run, silenceMs: Math.min(limits.run.silenceMs, stallMs / 4) } };
}
