import type { Dialect } from '../dialect.js';
import type { Folders } from '../folders.js';
import type { Encoder } from '../media/encoder.js';
import { nodeClasses } from '../nodes/index.js';
import type { ModelMemory } from '../model-memory.js';
import { ExecutionBlocker, type NodeContext, type NodeResult, type PreviewFrame } from '../nodes/node.js';
import type { ObjectInfo } from '../object-info.js';
import type { ResolvedOptions } from '../options.js';
import type { SocketHub } from '../socket-hub.js';
import type { Timers } from '../timers.js';
import { isLink, type JsonObject, type QueueRow } from '../types.js';
import { type CacheEntry, ResultCache, Signatures } from './cache.js';
import { DynamicGraph } from './dynamic-graph.js';
import { enrich } from './enrich.js';
import { ExecutionList } from './execution-list.js';
import { Abandoned, describeError, describeInput, Interrupted, type RunResult } from './outcome.js';
import { ProgressState } from './progress-state.js';

/** What the executor shares with the rest of its server. */
export interface ExecutorParts {
  readonly dialect: Dialect;
  readonly options: ResolvedOptions;
  readonly folders: Folders;
  readonly encoder: Encoder;
  readonly hub: SocketHub;
  readonly info: ObjectInfo;
  readonly timers: Timers;
  readonly models: ModelMemory;
  /** A fault asked for: thrown in place of the next node's run. */
  readonly nextFailure: (classType: string) => Error | undefined;
}

/** One prompt at a time through its nodes, telling its client as ComfyUI's `PromptExecutor` does. */
export class Executor {
  private readonly cache = new ResultCache();
  /** Node objects by node id and class: they live while the node stays in the prompts that follow each other. */
  private readonly memories = new Map<string, Map<string, string>>();
  private current: Run | undefined;

  constructor(private readonly parts: ExecutorParts) {}

  async execute(row: QueueRow): Promise<RunResult> {
    const run = new Run(row, this.parts, this.cache, this.memories);
    this.current = run;
    try {
      return await run.perform();
    } catch (error) {
      // A fault of ours, or a graph nobody foresaw: the prompt fails, the server goes on.
      return run.failed(undefined, error, {});
    } finally {
      // An abandoned run may wake up when another is under way already.
      if (this.current === run) {
        this.current = undefined;
        this.parts.hub.running = undefined;
      }
    }
  }

  interrupt(): void {
    if (this.current) this.current.interrupted = true;
  }

  /** The server dies under the run: it stops at its next breath and nobody hears of it. */
  abandon(): void {
    if (this.current) this.current.abandoned = true;
  }

  free(unloadModels: boolean, freeMemory: boolean): void {
    if (unloadModels) this.parts.models.clear();
    if (freeMemory) this.cache.clear();
  }
}

class Run {
  interrupted = false;
  abandoned = false;
  private readonly promptId: string;
  private readonly clientId: string | undefined;
  private readonly graph: DynamicGraph;
  private readonly signatures: Signatures;
  private readonly progress: ProgressState;
  private readonly messages: RunResult['messages'] = [];
  private readonly executed: string[] = [];
  /** Nodes that expanded, and where their outputs will come from. */
  private readonly waiting = new Map<string, readonly [string, number][]>();
  private readonly list: ExecutionList;
  /** Async nodes that have started. */
  private readonly underWay = new Map<string, Promise<{ id: string; end: RunResult | undefined }>>();

  constructor(
    private readonly row: QueueRow,
    private readonly parts: ExecutorParts,
    private readonly cache: ResultCache,
    private readonly memories: Map<string, Map<string, string>>,
  ) {
    const [, promptId, graph, extraData] = row;
    this.promptId = promptId;
    const clientId = extraData['client_id'];
    this.clientId = typeof clientId === 'string' ? clientId : undefined;
    this.graph = new DynamicGraph(graph);
    this.signatures = new Signatures(this.graph, parts.folders);
    this.progress = new ProgressState(promptId, this.graph, (data) => {
      if (parts.dialect.sendsProgressState) this.sendOrBroadcast('progress_state', data);
    });
    this.list = new ExecutionList({
      inputsOf: (id) => this.graph.node(id).inputs,
      isOutput: (id) => parts.info.get(this.graph.node(id).class_type)?.output_node === true,
      isCached: (id) => this.entryOf(id) !== undefined,
    });
  }

  async perform(): Promise<RunResult> {
    const [, promptId, graph, , outputs] = this.row;
    const ids = Object.keys(graph);
    const { cacheLru } = this.parts.options;
    if (cacheLru > 0) this.cache.keepNewest(cacheLru);
    else this.cache.keepOnly(new Set(ids.map((id) => this.signatures.of(id))));
    this.forgetObjects(ids);
    this.tell('execution_start', { prompt_id: promptId });
    const cached = ids.filter((id) => this.entryOf(id) !== undefined);
    this.tell('execution_cached', { nodes: cached, prompt_id: promptId });
    for (const id of outputs) this.list.add(id);
    while (!this.list.isEmpty) {
      const id = this.list.next();
      if (id === undefined && this.underWay.size > 0) {
        const done = await Promise.race(this.underWay.values());
        this.underWay.delete(done.id);
        if (done.end !== undefined) return done.end;
        continue;
      }
      if (id === undefined) return this.failed(undefined, new Error('Dependency cycle detected'), {});
      const end = await this.step(id);
      if (end !== undefined) return end;
    }
    this.tell('execution_success', { prompt_id: promptId });
    return this.result('success');
  }

  /** Runs a node; a result ends the whole run. */
  private async step(id: string): Promise<RunResult | undefined> {
    const cached = this.entryOf(id);
    if (cached !== undefined) {
      this.send('executed', { ...this.naming(id), output: cached.ui ?? null, prompt_id: this.promptId });
      this.progress.finish(id);
      this.list.complete(id);
      return undefined;
    }
    const expanded = this.waiting.get(id);
    if (expanded !== undefined) {
      this.done(id, { outputs: expanded.map(([from, slot]) => this.entryOf(from)?.outputs[slot]) });
      return undefined;
    }
    this.progress.start(id);
    this.parts.hub.running = this.clientId && { clientId: this.clientId, node: this.graph.displayOf(id) };
    this.send('executing', { ...this.naming(id), prompt_id: this.promptId });
    const inputs = this.resolve(id);
    if (nodeClasses.get(this.graph.node(id).class_type)?.async) return this.begin(id, inputs);
    return this.settle(id, inputs, this.runNode(id, inputs));
  }

  /** Starts a node that others need not wait for. */
  private begin(id: string, inputs: JsonObject): undefined {
    this.list.hold(id);
    const work = this.settle(id, inputs, this.runNode(id, inputs)).then((end) => ({ id, end }));
    this.underWay.set(id, work);
  }

  private enriched(result: NodeResult): NodeResult {
    const { options, folders } = this.parts;
    return options.newer && result.ui ? { ...result, ui: enrich(result.ui, folders) } : result;
  }

  private async settle(
    id: string,
    inputs: JsonObject,
    work: Promise<NodeResult>,
  ): Promise<RunResult | undefined> {
    try {
      const result = this.enriched(await work);
      if (this.abandoned) return this.result('abandoned');
      if (result.expand) this.expand(id, result.expand);
      else this.done(id, result);
      return undefined;
    } catch (error) {
      if (error instanceof Abandoned || this.abandoned) return this.result('abandoned');
      return this.failed(id, error, inputs);
    }
  }

  private async runNode(id: string, inputs: JsonObject): Promise<NodeResult> {
    const { class_type } = this.graph.node(id);
    if (this.interrupted) throw new Interrupted();
    const failure = this.parts.nextFailure(class_type);
    if (failure !== undefined) throw failure;
    if (this.parts.options.nodeDelayMs > 0) await this.sleep(this.parts.options.nodeDelayMs);
    const blocker = Object.values(inputs).find((input) => input instanceof ExecutionBlocker);
    if (blocker !== undefined) {
      if (blocker.message !== undefined) this.tellBlocked(id, blocker.message);
      return { outputs: this.parts.info.get(class_type)?.output.map(() => new ExecutionBlocker()) ?? [] };
    }
    const node = nodeClasses.get(class_type);
    if (node === undefined) throw new Error(`the stand-in does not run ${class_type}`);
    return node.run(inputs, this.contextFor(id));
  }

  /** Not the end: the prompt goes on, and the history holds nothing of it (27b). */
  private tellBlocked(id: string, message: string): void {
    this.send('execution_error', {
      prompt_id: this.promptId,
      node_id: id,
      node_type: this.graph.node(id).class_type,
      executed: this.executed,
      exception_message: `Execution Blocked: ${message}`,
      exception_type: 'ExecutionBlocked',
      traceback: [],
      current_inputs: [],
      current_outputs: [],
    });
  }

  private done(id: string, { outputs = [], ui }: NodeResult): void {
    const shown = this.graph.displayOf(id);
    const meta = {
      node_id: id,
      display_node: shown,
      parent_node: this.graph.parentOf(id),
      real_node_id: shown,
    };
    if (ui) this.send('executed', { ...this.naming(id), output: ui, prompt_id: this.promptId });
    const entry: CacheEntry = ui ? { outputs, ui, meta } : { outputs, meta };
    this.cache.set(this.signatures.of(id), entry);
    this.executed.push(id);
    this.progress.finish(id);
    this.list.complete(id);
  }

  private expand(id: string, { graph, result }: NonNullable<NodeResult['expand']>): void {
    this.graph.expand(id, graph);
    this.waiting.set(id, result);
    for (const [from] of result) {
      this.list.add(from);
      this.list.link(from, id);
    }
  }

  failed(id: string | undefined, error: unknown, inputs: JsonObject): RunResult {
    const node = { node_id: id ?? null, node_type: id === undefined ? null : this.graph.node(id).class_type };
    const base = { prompt_id: this.promptId, ...node, executed: this.executed };
    if (error instanceof Interrupted) {
      this.tell('execution_interrupted', base, true);
      return this.result('interrupted');
    }
    const { type, message, traceback } = describeError(error, this.parts.dialect);
    this.tell('execution_error', {
      ...base,
      exception_message: message,
      exception_type: type,
      traceback,
      current_inputs: Object.fromEntries(
        Object.entries(inputs).map(([name, value]) => [name, [describeInput(value)]]),
      ),
      current_outputs: Object.keys(this.row[2]),
    });
    return this.result('error');
  }

  private result(outcome: RunResult['outcome']): RunResult {
    const outputs: RunResult['outputs'] = {};
    const meta: RunResult['meta'] = {};
    for (const id of this.graph.ids()) {
      const entry = this.entryOf(id);
      if (entry?.ui === undefined) continue;
      outputs[id] = entry.ui;
      meta[id] = entry.meta;
    }
    return { outcome, outputs, meta, messages: this.messages };
  }

  private contextFor(id: string): NodeContext {
    const [, promptId, graph, extraData] = this.row;
    const { folders, encoder, options, models } = this.parts;
    const key = `${id} ${this.graph.node(id).class_type}`;
    let memory = this.memories.get(key);
    if (memory === undefined) this.memories.set(key, (memory = new Map()));
    return {
      nodeId: id,
      promptId,
      links: this.graph.node(id).inputs,
      graph,
      extraData,
      folders,
      encoder,
      options,
      needModel: (name) => models.need(name, (ms) => this.sleep(ms)),
      memory,
      sleep: (ms) => this.sleep(ms),
      sendText: (node, text, everybody) =>
        this.parts.hub.sendText(everybody ? undefined : this.clientId, node, text),
      progress: (value, max, preview) => this.report(id, value, max, preview),
    };
  }

  /** The order of the three depends on the client: type 4 previews go before `progress`, type 1 behind it (06a, 06b). */
  private report(id: string, value: number, max: number, preview: PreviewFrame | undefined): void {
    if (this.abandoned) throw new Abandoned();
    if (this.interrupted) throw new Interrupted();
    const { hub } = this.parts;
    const shown = this.graph.displayOf(id);
    this.progress.update(id, value, max);
    const tagged = this.clientId !== undefined && hub.wantsTaggedPreviews(this.clientId);
    // Of a prompt without a client everybody hears, untagged (42).
    if (preview && tagged) {
      hub.sendTaggedPreview(this.clientId, preview.data, {
        node_id: id,
        prompt_id: this.promptId,
        display_node_id: shown,
        parent_node_id: this.graph.parentOf(id),
        real_node_id: shown,
        image_type: preview.format,
      });
    }
    this.sendOrBroadcast('progress', { value, max, prompt_id: this.promptId, node: id });
    if (preview && !tagged) {
      hub.sendPreview(this.clientId, preview.data, preview.format);
    }
  }

  private async sleep(ms: number): Promise<void> {
    await this.parts.timers.sleep(ms);
    if (this.abandoned) throw new Abandoned();
  }

  private resolve(id: string): JsonObject {
    const resolved: JsonObject = {};
    for (const [name, value] of Object.entries(this.graph.node(id).inputs)) {
      resolved[name] = isLink(value) ? this.entryOf(value[0])?.outputs[value[1]] : value;
    }
    return resolved;
  }

  private entryOf(id: string): CacheEntry | undefined {
    return this.cache.get(this.signatures.of(id));
  }

  private naming(id: string): JsonObject {
    return { node: id, display_node: this.graph.displayOf(id) };
  }

  /** Drops the objects of nodes that are not in this prompt any more. */
  private forgetObjects(ids: readonly string[]): void {
    if (this.memories.size === 0) return;
    const wanted = new Set(ids.map((id) => `${id} ${this.graph.node(id).class_type}`));
    for (const key of this.memories.keys()) if (!wanted.has(key)) this.memories.delete(key);
  }

  /** An event that the history keeps. */
  private tell(type: string, data: JsonObject, broadcast = false): void {
    const dated = { ...data, timestamp: Date.now() };
    this.messages.push([type, dated]);
    if (broadcast) this.sendOrBroadcast(type, dated);
    else this.send(type, dated);
  }

  /** Without a `client_id` everybody is told (42). */
  private sendOrBroadcast(type: string, data: unknown): void {
    if (this.clientId === undefined) this.parts.hub.broadcast(type, data);
    else this.parts.hub.send(this.clientId, type, data);
  }

  /** Without a `client_id` nobody is told (12). */
  private send(type: string, data: unknown): void {
    if (this.clientId !== undefined) this.parts.hub.send(this.clientId, type, data);
  }
}
