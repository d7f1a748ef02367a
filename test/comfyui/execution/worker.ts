import { setImmediate as nextTurn } from 'node:timers/promises';
import type { ResolvedOptions } from '../options.js';
import type { SocketHub } from '../socket-hub.js';
import type { Timers } from '../timers.js';
import type { Graph, HistoryEntry, QueueRow } from '../types.js';
import type { Executor } from './executor.js';
import type { Outcome, RunResult } from './outcome.js';
import { PromptHeap } from './prompt-queue.js';

/** A prompt that ran, for tests to look at. */
export interface ExecutedPrompt {
  promptId: string;
  workflow: Graph;
  clientId: string | undefined;
  startedAt: number;
  endedAt: number;
  outcome: Outcome;
}

const MAX_HISTORY = 10_000;

/** The queue, the history, and the one thread that takes from the one and adds to the other. */
export class Worker {
  readonly history = new Map<string, HistoryEntry>();
  readonly pending = new PromptHeap();
  readonly executed: ExecutedPrompt[] = [];
  running: QueueRow | undefined;
  /** Counts every `POST /prompt` that was JSON, refused ones too (04: the eighteenth number after fourteen refusals). */
  nextNumber = 0;
  /** A fault asked for: ms by which the next history entry trails the end of its run. */
  takeHistoryLateness: () => number = () => 0;
  private busy = false;
  private freeing: { unloadModels: boolean; freeMemory: boolean } | undefined;
  /** Changes when the server dies: what was started before must not speak any more. */
  private epoch = 0;

  constructor(
    private readonly executor: Executor,
    private readonly hub: SocketHub,
    private readonly timers: Timers,
    private readonly options: ResolvedOptions,
  ) {}

  get remaining(): number {
    return this.pending.size + (this.running ? 1 : 0);
  }

  put(row: QueueRow): void {
    this.pending.push(row);
    this.tellStatus();
    if (!this.busy) void this.work();
  }

  /** ComfyUI wipes a queue of one instead of removing from it, and so tells the status twice (08). */
  remove(promptId: string): boolean {
    const last = this.pending.size === 1;
    if (!this.pending.remove(promptId)) return false;
    if (last) this.tellStatus();
    this.tellStatus();
    return true;
  }

  wipe(): void {
    this.pending.clear();
    this.tellStatus();
  }

  /** Takes effect between prompts, as the flags of `/free` do. */
  free(unloadModels: boolean, freeMemory: boolean): void {
    if (this.busy) this.freeing = { unloadModels, freeMemory };
    else this.executor.free(unloadModels, freeMemory);
  }

  tellStatus(): void {
    this.hub.broadcast('status', this.status());
  }

  status(): { status: { exec_info: { queue_remaining: number } } } {
    return { status: { exec_info: { queue_remaining: this.remaining } } };
  }

  /** Everything a process loses when it dies. */
  forget(): void {
    this.epoch++;
    this.executor.abandon();
    this.executor.free(true, true);
    this.pending.clear();
    this.history.clear();
    this.running = undefined;
    this.busy = false;
    this.freeing = undefined;
  }

  private async work(): Promise<void> {
    const epoch = this.epoch;
    this.busy = true;
    // A turn of the event loop before each prompt: the reply to POST /prompt goes out first (01), and I/O is never starved.
    for (await nextTurn(); epoch === this.epoch; await nextTurn()) {
      const row = this.pending.pop();
      if (row === undefined) break;
      this.running = row;
      this.tellStatus();
      const startedAt = Date.now();
      const result = await this.executor.execute(row);
      this.journal(row, startedAt, result.outcome);
      if (epoch !== this.epoch || result.outcome === 'abandoned') return;
      await this.finish(row, result);
      if (epoch !== this.epoch) return;
    }
    if (epoch === this.epoch) this.busy = false;
  }

  /** History, status, and only then `executing` with `node: null` (01, 24). */
  private async finish(row: QueueRow, result: RunResult): Promise<void> {
    const epoch = this.epoch;
    const [, promptId, , extraData] = row;
    const lateness = this.takeHistoryLateness();
    if (this.options.historyDelayMs > 0) await this.timers.sleep(this.options.historyDelayMs);
    if (epoch !== this.epoch) return;
    if (lateness > 0) void this.remember(row, result, lateness);
    else this.record(row, result);
    this.running = undefined;
    this.tellStatus();
    if (typeof extraData['client_id'] === 'string') {
      this.hub.send(extraData['client_id'], 'executing', { node: null, prompt_id: promptId });
    }
    if (this.freeing) {
      this.executor.free(this.freeing.unloadModels, this.freeing.freeMemory);
      this.freeing = undefined;
    }
  }

  private async remember(row: QueueRow, result: RunResult, lateness: number): Promise<void> {
    const epoch = this.epoch;
    await this.timers.sleep(lateness);
    if (epoch === this.epoch) this.record(row, result);
  }

  private record(row: QueueRow, { outcome, outputs, meta, messages }: RunResult): void {
    const completed = outcome === 'success';
    const status = { status_str: completed ? ('success' as const) : ('error' as const), completed, messages };
    if (this.history.size >= MAX_HISTORY) {
      const oldest = this.history.keys().next();
      if (!oldest.done) this.history.delete(oldest.value);
    }
    this.history.set(row[1], { prompt: row, outputs, status, meta });
  }

  private journal([, promptId, workflow, extraData]: QueueRow, startedAt: number, outcome: Outcome): void {
    const clientId = extraData['client_id'];
    this.executed.push({
      promptId,
      workflow,
      clientId: typeof clientId === 'string' ? clientId : undefined,
      startedAt,
      endedAt: Date.now(),
      outcome,
    });
    if (this.executed.length > this.options.journalSize) this.executed.shift();
  }
}
