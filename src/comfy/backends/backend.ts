import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { finalize, lastValueFrom, Observable, Subject, type Subscription, takeUntil, tap } from 'rxjs';
import type { BackendAddress } from '../../config/index.js';
import {
  CLIENT_LIMITS,
  ComfyClient,
  type ClientLimits,
  type FileRef,
  type NodeClass,
  type RunEvent,
  type Unreachable,
  type ViewedFile,
} from '../client/index.js';
import { ComfyError } from '../comfy.error.js';
import type { Workflow } from '../workflow/index.js';
import { type Circuit, type CircuitRules, CIRCUIT_RULES } from './circuit.js';
import { type BackendFailure, type BackendPhase, Condition, messageOf } from './condition.js';
import { RUN_DEADLINES, type RunDeadlines, withDeadlines } from './deadlines.js';
import type { Durations } from './durations.js';
import type { Experience } from './experience.js';
import { classifyFault, type FaultKind } from './faults.js';
import { type CheckKind, type CheckResult, HealthCheck } from './health-check.js';
import { fileRefusedError, InputFolder } from './input-folder.js';
import { LostJobs } from './lost-jobs.js';
import { ModelMemory } from './model-memory.js';
import { NodeClasses } from './node-classes.js';
import { type BackendRun, type RunParts, startRun } from './start-run.js';
import { Turns } from './turns.js';

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

/** Milliseconds between looks for a prompt of ours that does not stop. */
const LOOK_FOR_STRAYS_MS = 1_000;

/** Milliseconds from one `POST /free` to the next: it costs everybody's models or results, and any caller can bring it about. */
const FREE_EVERY_MS = 60_000;

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
  private readonly parts: RunParts;
  private readonly runs = new Map<string, OngoingRun>();
  private drained = false;
  private readonly closing = new Subject<void>();
  /** Prompts of our own that no job follows: the warm-up and health checks. */
  private readonly ownPrompts = new Set<string>();
  private readonly check: HealthCheck;
  /** What a health check found broken, until it works again. */
  private readonly broken = new Set<CheckKind>();
  /** Answers to what errors ask, so that whoever handles the same error asks once. */
  private readonly answers = new WeakMap<Error, Promise<CheckResult>>();
  /** Since when a prompt of ours does not stop, in ms of `performance.now()`; undefined: there is none. */
  private straysSince: number | undefined;
  private lookingForStrays = false;
  private reason: Unreachable | undefined;
  private readonly lastFree = { cache: -Infinity, models: -Infinity };
  private lastGiven = 0;
  private counts = { succeeded: 0, failed: 0 };

  constructor(
    readonly address: BackendAddress,
    private readonly rules: BackendRules,
    private readonly experience: Experience,
    private readonly durations: Durations,
    /** Can another backend take jobs at the moment? */
    readonly hasAlternative: () => boolean = () => false,
    /** Shared by all backends: see `LostJobs`. */
    private readonly lostJobs = new LostJobs(),
  ) {
    const { client = CLIENT_LIMITS, deadlines = RUN_DEADLINES } = rules;
    this.client = new ComfyClient(address, askingInTime(client, deadlines), rules.owner);
    this.inputFolder = new InputFolder(this.client);
    this.classes = new NodeClasses((name) => this.client.nodeClass(name));
    this.parts = {
      client: this.client,
      folder: this.inputFolder,
      classes: this.classes,
      turns: new Turns(),
      refusedAfterMs: client.run.refusedAfterMs,
    };
    this.check = new HealthCheck({
      client: this.client,
      knows: (className) => this.knows(className),
      connected: () => this.phase !== 'unreachable',
      busy: () => [...this.runs.values()].some(({ begunAt }) => begunAt !== undefined),
      prompts: this.ownPrompts,
      rules: rules.circuit ?? CIRCUIT_RULES,
      beginMs: deadlines.stallMs,
      closing: this.closing,
    });
    this.condition = new Condition({
      rules: rules.circuit ?? CIRCUIT_RULES,
      examine: () => this.examine(),
      changed: () => this.changes.next(),
    });
    this.client.unreachable$.subscribe((reason) => {
      this.reason = reason;
      if (reason === undefined) return;
      this.condition.note(reason.message);
      this.changes.next();
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

  /** Why it cannot be reached; undefined where it can, or where that is not known yet. */
  get unreachable(): Unreachable | undefined {
    return this.reason;
  }

  /** Why it gets no jobs, in a few words for callers; undefined where it gets some, or where that is not known yet. */
  get trouble(): string | undefined {
    if (this.usable) return undefined;
    if (this.phase === 'unreachable') return this.reason?.short;
    if (this.circuit.state === 'open') return 'it failed its health check';
    return this.drained ? 'it is drained' : undefined;
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
    // Whatever it got would wait behind a prompt that nobody wants any more.
    if (!this.usable || this.straysSince !== undefined) return 0;
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

  /** The last thing that was wrong with it. */
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
      const { hasAlternative } = this;
      return startRun(this.parts, { ...request, hasAlternative })
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
              this.blame(error, job);
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
    this.condition.succeed();
  }

  /** The files of such a job are safe. @param ms since it was rendered */
  learnStoring(shape: string, ms: number): void {
    this.durations.learnStoring(shape, this.name, ms);
  }

  /** A job failed because of this error; if that says something of the backend, or asks something, it is seen to. */
  blame(error: unknown, job: string): void {
    const kind = classifyFault(error);
    if (kind === 'works') this.condition.succeed();
    else if (kind === 'transport') {
      if (this.lostJobs.add(job) && this.condition.countFault()) void this.answer(error, kind);
    } else if (kind !== 'none') void this.answer(error, kind);
  }

  /**
   * What a job's error amounts to, once the backend was asked where that is in question. Never rejects.
   * @returns `backend_lost` (`sick`) where the backend is broken; where a file was not taken although the disk is in order, `invalid_workflow`
   */
  async confirm(error: unknown): Promise<unknown> {
    const kind = classifyFault(error);
    if (!(error instanceof ComfyError) || (kind !== 'device' && kind !== 'disk')) return error;
    const result = await this.answer(error, kind);
    if (result.is === 'broken') {
      const context = error.nodeErrors === undefined ? {} : { nodeErrors: error.nodeErrors };
      const message = 'The job failed, because the backend is out of order: its health check failed as well.';
      return new ComfyError('backend_lost', message, { reason: 'sick', cause: error, ...context });
    }
    return result.is === 'works' && error.code === 'no_backend' ? fileRefusedError(error) : error;
  }

  /** Has it nodes of this class? Asked once a connection. @throws BackendError where it does not say */
  async knows(className: string): Promise<boolean> {
    return (await this.classes.find(className)) !== undefined;
  }

  /**
   * Has the workflow nodes that call paid services of partners (`api_node`)? undefined: it is not known, because the backend does not answer.
   * Never rejects.
   */
  async hasPartnerNodes(workflow: Workflow): Promise<boolean | undefined> {
    const names = [...new Set(Object.values(workflow).map((node) => node.class_type))];
    const found = await Promise.all(
      names.map((name) =>
        this.classes.find(name).then(
          (nodeClass) => nodeClass?.apiNode === true,
          () => undefined,
        ),
      ),
    );
    if (found.includes(true)) return true;
    return found.includes(undefined) ? undefined : false;
  }

  /** The bytes of an output. @throws BackendError */
  view(file: FileRef, signal?: AbortSignal): Promise<ViewedFile> {
    return this.client.view(file, signal);
  }

  /** Does it answer a question now? Never rejects. */
  isAnswering(): Promise<boolean> {
    return this.client.answers();
  }

  /** Lets the server forget a prompt whose outputs are safe. */
  forget(promptId: string): void {
    this.client.forget(promptId);
  }

  /**
   * Lets the server forget what it has cached and, if so said, its models; each once a minute at most, and no models while another job
   * runs there. Never rejects: at worst nothing changes.
   */
  async free(what: { models: boolean }): Promise<void> {
    const now = performance.now();
    const key = what.models ? 'models' : 'cache';
    if (now - this.lastFree[key] < FREE_EVERY_MS || (what.models && this.runs.size > 0)) return;
    this.lastFree[key] = now;
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
    if (await this.hasStrays()) void this.waitForStrays();
    for (const kind of this.broken) {
      const result = await this.check.ask(kind);
      if (result.is === 'broken') throw new ComfyError('backend_lost', result.message);
      if (result.is === 'works') this.broken.delete(kind);
    }
    await this.passWarmUp();
  }

  /** Are there prompts of ours that were given up, and do not stop? @throws ComfyError where that has been so for too long; BackendError */
  private async hasStrays(): Promise<boolean> {
    const { stallMs } = this.rules.deadlines ?? RUN_DEADLINES;
    const strays = await this.client.examine(
      (promptId) => this.runs.has(promptId) || this.ownPrompts.has(promptId),
    );
    const since = strays === 0 ? undefined : (this.straysSince ?? performance.now());
    this.straysSince = since;
    if (since !== undefined && performance.now() - since > stallMs)
      throw new ComfyError('backend_lost', 'A job that was given up does not stop there.');
    return since !== undefined;
  }

  /**
   * A node that cannot be interrupted ends in its own time, and any caller can hang up on one: that is no fault of the backend, which
   * gets no jobs until then. Never rejects.
   */
  private async waitForStrays(): Promise<void> {
    if (this.lookingForStrays) return;
    this.lookingForStrays = true;
    this.straysSince ??= performance.now();
    try {
      while (this.phase !== 'unreachable' && (await this.hasStrays())) {
        this.changes.next();
        await delay(LOOK_FOR_STRAYS_MS, undefined, { ref: false });
      }
    } catch (error) {
      if (error instanceof ComfyError) this.condition.fail(error.message);
      else this.condition.doubt();
    } finally {
      this.lookingForStrays = false;
      this.changes.next();
    }
  }

  /** The answer to what an error asks. Never rejects. */
  private answer(failure: unknown, kind: Exclude<FaultKind, 'none' | 'works'>): Promise<CheckResult> {
    if (!(failure instanceof Error)) return Promise.resolve({ is: 'unknown' });
    const known = this.answers.get(failure);
    if (known !== undefined) return known;
    const check = kind === 'disk' ? 'disk' : 'prompt';
    const answer = this.check.ask(check).then((result) => {
      if (result.is === 'works') {
        this.broken.delete(check);
        this.condition.succeed();
      } else if (result.is === 'broken') {
        this.broken.add(check);
        this.condition.fail(result.message);
      }
      return result;
    });
    this.answers.set(failure, answer);
    return answer;
  }

  private async passWarmUp(): Promise<void> {
    const { warmUp, deadlines = RUN_DEADLINES } = this.rules;
    if (warmUp === undefined) return;
    const promptId = randomUUID();
    this.ownPrompts.add(promptId);
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
      this.ownPrompts.delete(promptId);
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
    if (!gone) void this.waitForStrays();
    this.changes.next();
  }
}

/** With a silence limit that lets ComfyUI confirm a run several times before it counts as stalled. */
function askingInTime(limits: ClientLimits, { stallMs }: RunDeadlines): ClientLimits {
  return { ...limits, run: { ...limits.run, silenceMs: Math.min(limits.run.silenceMs, stallMs / 4) } };
}
