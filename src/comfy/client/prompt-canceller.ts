import { setTimeout as sleep } from 'node:timers/promises';
import type { ComfyHttp, QueueSnapshot } from './comfy-http.js';

/** Milliseconds between looks, and altogether: an interrupted node stops at its next step. */
const LOOK_EVERY_MS = 250;
const LOOK_FOR_MS = 10_000;

/** Milliseconds within which an interruption may be the effect of an interrupt of ours. */
const STRIKE_MS = 10_000;

/**
 * Stops prompts on the server: a pending one leaves the queue, a running one is interrupted, and nothing else is
 * touched. Work goes on in the background; `settled` tells when a prompt is out of the way.
 */
export class PromptCanceller {
  private readonly underWay = new Map<string, Promise<boolean>>();
  /** Whether this server has `/api/jobs/{id}/cancel`; asked once. */
  private hasJobCancel: boolean | undefined;
  private lastInterrupt = -Infinity;
  private retired = false;

  constructor(private readonly http: ComfyHttp) {}

  /**
   * @param key the id we gave the prompt
   * @param promptId the id the server uses, as soon as `POST /prompt` is over
   */
  cancel(key: string, promptId: Promise<string>): void {
    if (this.retired) return;
    const work = promptId
      .then((id) => this.stop(id, key))
      // Unreachable: whatever ran there will be found, or not, by whoever takes care of the backend.
      .catch(() => false)
      .finally(() => this.underWay.delete(key));
    this.underWay.set(key, work);
  }

  /** No more cancels; those under way are finished. */
  retire(): void {
    this.retired = true;
  }

  /** May a prompt that was interrupted just now be one that an interrupt of ours hit instead of another? */
  get mayHaveStruck(): boolean {
    return performance.now() - this.lastInterrupt < STRIKE_MS;
  }

  /** Is something being done about this prompt? */
  isAt(key: string): boolean {
    return this.underWay.has(key);
  }

  /** Resolves when nothing is being done about this prompt any more. @returns whether it is off the server for certain */
  async settled(key: string): Promise<boolean> {
    return (await this.underWay.get(key)) ?? true;
  }

  /** Resolves when no cancel is under way. */
  async idle(): Promise<void> {
    await Promise.all(this.underWay.values());
  }

  /** @returns whether the prompt is gone */
  private async stop(promptId: string, mark: string): Promise<boolean> {
    if (this.hasJobCancel !== false) this.hasJobCancel = await this.http.cancelJob(promptId);
    let interrupted = this.hasJobCancel;
    const start = performance.now();
    for (let look = 0; performance.now() - start < LOOK_FOR_MS; look += 1) {
      const { running, pending } = await this.http.queue();
      const waiting = find(pending, promptId, mark);
      const current = find(running, promptId, mark);
      if (waiting === undefined && current === undefined) return true;
      // Deleting first: while it takes effect the prompt can start, so the queue is looked at again.
      if (waiting !== undefined) await this.http.deletePending([waiting.promptId]);
      // Once only: an old server stops whatever runs, and by the second time that may be somebody else's (07).
      else if (current !== undefined && !interrupted) {
        interrupted = true;
        this.lastInterrupt = performance.now();
        await this.http.interrupt(current.promptId);
      }
      await sleep(look === 0 ? 20 : LOOK_EVERY_MS, undefined, { ref: false });
    }
    return false;
  }
}

function find(rows: QueueSnapshot['running'], promptId: string, mark: string) {
  return rows.find((row) => row.promptId === promptId || row.mark === mark);
}
