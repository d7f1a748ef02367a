import { type Observable, Subject, Subscription } from 'rxjs';
import type { ComfyHttp, QueueSnapshot } from './comfy-http.js';
import type { SocketMessage } from './messages.js';
import type { SocketState } from './comfy-socket.js';

export interface QueueWatchLimits {
  /** Milliseconds from a fall to the question. */
  settleMs: number;
  /** Least milliseconds between two questions. */
  everyMs: number;
}

export const QUEUE_WATCH_LIMITS: QueueWatchLimits = { settleMs: 100, everyMs: 1_000 };

/** After these the server counts one prompt less. */
const ENDS: ReadonlySet<string> = new Set(['execution_success', 'execution_error', 'execution_interrupted']);

/**
 * Asks `/queue` when `queue_remaining` falls (01) and no prompt is known to have ended: somebody may have deleted one, and a
 * deleted prompt gets no event of its own (08, 29). One question serves all prompts of the server, and none is asked while
 * nobody follows one.
 */
export class QueueWatch {
  private readonly subject = new Subject<QueueSnapshot>();
  private readonly subscription = new Subscription();
  private remaining: number | undefined;
  /** Ends since the last `status`: they explain as much of its fall. */
  private ends = 0;
  private askedAt = -Infinity;
  private timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly http: Pick<ComfyHttp, 'queue'>,
    messages$: Observable<SocketMessage>,
    state$: Observable<SocketState>,
    private readonly limits: QueueWatchLimits = QUEUE_WATCH_LIMITS,
  ) {
    this.subscription.add(messages$.subscribe((message) => this.hear(message)));
    this.subscription.add(state$.subscribe(() => (this.remaining = undefined)));
  }

  /** What the server has in its queue, each time that it was asked because of a fall. */
  get snapshots$(): Observable<QueueSnapshot> {
    return this.subject;
  }

  close(): void {
    clearTimeout(this.timer);
    this.subscription.unsubscribe();
    this.subject.complete();
  }

  private hear(message: SocketMessage): void {
    if (ENDS.has(message.type)) this.ends += 1;
    if (message.type !== 'status') return;
    const fall = (this.remaining ?? 0) - message.queueRemaining;
    if (fall > this.ends) this.plan();
    this.remaining = message.queueRemaining;
    this.ends = 0;
  }

  private plan(): void {
    if (this.timer !== undefined || !this.subject.observed) return;
    const { settleMs, everyMs } = this.limits;
    const pause = Math.max(settleMs, this.askedAt + everyMs - performance.now());
    this.timer = setTimeout(() => void this.ask(), pause);
    this.timer.unref();
  }

  private async ask(): Promise<void> {
    this.askedAt = performance.now();
    try {
      if (this.subject.observed) this.subject.next(await this.http.queue());
    } catch {
      // Whoever is concerned asks again after a silence.
    } finally {
      this.timer = undefined;
    }
  }
}
