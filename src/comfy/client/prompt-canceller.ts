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
  /** False once this server has said that it has no `/api/jobs/{id}/cancel`. */
  private mayCancelJobs = true;
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

  /** Another server may be there, of another version. */
  reconnected(): void {
    this.mayCancelJobs = true;
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
    let interrupted = await this.cancelJob(promptId);
    const start = performance.now();
    for (let look = 0; performance.now() - start < LOOK_FOR_MS; look += 1) {
      const { running, pending, complete } = await this.http.queue();
      const waiting = find(pending, promptId, mark);
      const current = find(running, promptId, mark);
      if (waiting !== undefined) {
        // Deleting first: while it takes effect the prompt can start, so the queue is looked at again.
        await this.http.deletePending([waiting.promptId]);
      } else if (current !== undefined) {
        // Once only: an old server stops whatever runs, and by the second time that may be somebody else's (07).
        if (!interrupted) {
          interrupted = true;
          this.lastInterrupt = performance.now();
          await this.http.interrupt(current.promptId);
        }
      } else if (complete) return true;
      await sleep(look === 0 ? 20 : LOOK_EVERY_MS, undefined, { ref: false });
    }
    return false;
  }

  /**
   * Lets the server cancel it, where it can: that is one step, and touches no other prompt.
   * @returns whether it was cancelled; false where it has ended, is unknown, or the server does not say
   */
  private async cancelJob(promptId: string): Promise<boolean> {
    if (!this.mayCancelJobs) return false;
    // A proxy may let only the routes through that it knows; the older ways are left.
    const answer = await this.http.cancelJob(promptId).catch(() => undefined);
    if (answer === 'unsupported') this.mayCancelJobs = false;
    return typeof answer === 'object' && answer.cancelled;
  }
}

function find(rows: QueueSnapshot['running'], promptId: string, mark: string) {
  return rows.find((row) => row.promptId === promptId || row.mark === mark);
}
