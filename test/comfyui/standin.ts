import { dialectOf } from './dialect.js';
import { Executor } from './execution/executor.js';
import { type ExecutedPrompt, Worker } from './execution/worker.js';
import { Faults } from './faults.js';
import { Folders } from './folders.js';
import { HttpServer } from './http/server.js';
import { Journal, type JournalEntry } from './http/journal.js';
import { Encoder } from './media/encoder.js';
import { ModelMemory } from './model-memory.js';
import { ObjectInfo } from './object-info.js';
import { type ResolvedOptions, resolveOptions, type StandinOptions } from './options.js';
import { SocketHub } from './socket-hub.js';
import { Timers } from './timers.js';
import type { HistoryEntry } from './types.js';
import { PromptValidator } from './validation.js';

/** A small ComfyUI that runs in this process. See README.md for what it models. */
export class ComfyStandin {
  /** Trouble on demand. */
  readonly faults: Faults;
  private readonly folders: Folders;
  private readonly timers = new Timers();
  private readonly journal: Journal;
  private readonly models: ModelMemory;
  private readonly hub: SocketHub;
  private readonly worker: Worker;
  private readonly server: HttpServer;

  private constructor(private readonly options: ResolvedOptions) {
    const dialect = dialectOf(options.version);
    const { timers } = this;
    const folders = (this.folders = new Folders(options.dataDir, options.zeroWork));
    this.journal = new Journal(options.journalSize);
    const info = new ObjectInfo(dialect.version, options.checkpoints, folders, options.missingNodes);
    const hub = (this.hub = new SocketHub(dialect, () => this.worker.status()));
    const models = (this.models = new ModelMemory(options.modelsInMemory, options.modelLoadMs));
    const executor = new Executor({
      dialect,
      options,
      folders,
      encoder: new Encoder(options.zeroWork),
      hub,
      info,
      timers,
      models,
      nextFailure: (classType) => this.faults.takeFailure(classType),
    });
    const worker = (this.worker = new Worker(executor, hub, timers, options));
    const faults = (this.faults = new Faults({
      hub,
      worker,
      folders,
      refuse: (on) => (on ? this.server.refuse() : this.server.listen()),
      cutOff: () => this.server.kill(),
    }));
    worker.takeHistoryLateness = () => faults.takeLateness();
    const validator = new PromptValidator(info, folders, dialect, options.newer);
    const context = { options, dialect, folders, info, validator, executor, worker, faults, timers };
    this.server = new HttpServer(context, hub, this.journal);
  }

  /** Starts a stand-in and waits until it listens. */
  static async start(options: StandinOptions = {}): Promise<ComfyStandin> {
    const standin = new ComfyStandin(resolveOptions(options));
    try {
      await standin.server.listen();
    } catch (error) {
      standin.folders.remove();
      throw error;
    }
    return standin;
  }

  /** Where to call it, base path included, without a slash at the end. */
  get url(): string {
    return `http://${this.address}${this.options.basePath}`;
  }

  /** `host:port` */
  get address(): string {
    return `${this.options.host}:${this.server.port}`;
  }

  get port(): number {
    return this.server.port;
  }

  /** The folder of saved files. */
  get outputDir(): string {
    return this.folders.of('output');
  }

  /** The folder of uploads. */
  get inputDir(): string {
    return this.folders.of('input');
  }

  /** The folder of previews; emptied by a restart. */
  get tempDir(): string {
    return this.folders.of('temp');
  }

  /** The history, oldest first, by prompt id. */
  get history(): ReadonlyMap<string, HistoryEntry> {
    return this.worker.history;
  }

  /** Prompt ids now running and pending; the pending ones in the order `GET /queue` gives, which is a heap's (22). */
  get queue(): { running: string[]; pending: string[] } {
    const { running, pending } = this.worker;
    return { running: running ? [running[1]] : [], pending: pending.list().map((row) => row[1]) };
  }

  /** The last requests, oldest first. */
  get requests(): readonly JournalEntry[] {
    return this.journal.entries;
  }

  /** The last prompts that ran, oldest first. */
  get executed(): readonly ExecutedPrompt[] {
    return this.worker.executed;
  }

  /** How often a checkpoint had to be loaded, restarts included. */
  get modelLoads(): number {
    return this.models.loads;
  }

  /** The open WebSockets: how many, whose, and how many agreed on compression. */
  get sockets(): { count: number; clientIds: string[]; deflated: number; muted: number } {
    const connections = this.hub.connections();
    return {
      count: connections.length,
      clientIds: connections.map(({ clientId }) => clientId),
      deflated: connections.filter(({ deflated }) => deflated).length,
      muted: connections.filter(({ muted }) => muted).length,
    };
  }

  /** As SIGKILL does: every connection breaks, new ones are refused, queue, history and caches are lost (90). */
  async kill(): Promise<void> {
    this.worker.forget();
    this.worker.nextNumber = 0;
    this.hub.killAll();
    this.timers.cancelAll();
    await this.server.kill();
  }

  /** Listens again on the same port, empty; saved files are still there, temporary ones are not. */
  async restart(): Promise<void> {
    if (this.server.port !== 0) await this.kill();
    this.folders.clearTemp();
    await this.server.listen();
  }

  /** Ends everything, leaves no timer and no handle, and removes its folder unless `dataDir` named one. */
  async stop(): Promise<void> {
    await this.kill();
    this.folders.remove();
  }
}
