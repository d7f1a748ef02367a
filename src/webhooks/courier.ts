import { setTimeout as delay } from 'node:timers/promises';
import { Logger } from '@nestjs/common';
import { pauseAfter } from './back-off.js';
import { type Answer, isTaken, type Poster } from './poster.js';
import { type SlotLimits, Slots } from './slots.js';
import type { Delivery, WebhookStore } from './webhook-store.js';

export const COURIER_LIMITS: SlotLimits = { total: 16, perHost: 4 };

/** Milliseconds for one try, its answer included. */
export const TRY_MS = 15_000;

/** The receiver wants no more of it (RFC 9110, 15.5.11). */
const GONE = 410;

/** Milliseconds until the database is asked again that failed. */
const STATE_RETRY_MS = 1_000;

/** Longest pause that a receiver may ask for: the day is ours. */
const MAX_RETRY_AFTER_MS = 3_600_000;

/** `setTimeout` takes no more. */
const MAX_TIMER_MS = 2 ** 31 - 1;

export interface CourierOptions {
  /** Milliseconds from each try to the next. @default SCHEDULE_MS */
  schedule?: readonly number[] | undefined;
  /** Milliseconds for one try. @default TRY_MS */
  tryMs?: number | undefined;
  limits?: SlotLimits;
  /** Jobs whose earlier messages are on their way still: nothing of theirs is sent. */
  busyJobs?: () => readonly string[];
}

/** Brings the deliveries of the store to their receivers, each until it is taken, or a dead letter. */
export class Courier {
  private readonly logger = new Logger('Webhooks');
  private readonly slots: Slots;
  private readonly underWay = new Map<string, { done: Promise<void>; abort: AbortController }>();
  private timer: NodeJS.Timeout | undefined;
  private turn: NodeJS.Immediate | undefined;
  private open = false;

  constructor(
    private readonly store: WebhookStore,
    private readonly poster: Poster,
    private readonly options: CourierOptions = {},
  ) {
    this.slots = new Slots(options.limits ?? COURIER_LIMITS);
  }

  start(): void {
    this.open = true;
    this.wake();
  }

  /** There may be something due. */
  wake(): void {
    if (this.open) this.turn ??= setImmediate(() => this.sendDue());
  }

  /** What is due and under way has so many milliseconds to end, and is then left for the next process. */
  async stop(graceMs: number): Promise<void> {
    // First, as `sendDue` forgets it: it would send once more after the end.
    clearImmediate(this.turn);
    if (this.open && graceMs > 0) this.sendDue();
    this.open = false;
    clearTimeout(this.timer);
    clearImmediate(this.turn);
    const calls = [...this.underWay.values()];
    const cut = setTimeout(() => {
      for (const { abort } of calls) abort.abort(new Error('The server stops'));
    }, graceMs);
    await Promise.all(calls.map(({ done }) => done));
    clearTimeout(cut);
  }

  private sendDue(): void {
    this.turn = undefined;
    clearTimeout(this.timer);
    try {
      // One moment for both questions, else what becomes due between them is in neither answer.
      const now = Date.now();
      while (this.slots.free) {
        const delivery = this.store.nextDue(now, {
          ids: [...this.underWay.keys()],
          jobs: this.options.busyJobs?.() ?? [],
          hosts: this.slots.fullHosts,
        });
        if (delivery === undefined) break;
        this.send(delivery);
      }
      const due = this.store.dueAfter(now);
      if (due !== undefined) this.sleep(due - Date.now());
    } catch (error) {
      this.logger.error(`Deliveries cannot be read: ${(error as Error).message}`);
      this.sleep(STATE_RETRY_MS);
    }
  }

  private sleep(ms: number): void {
    this.timer = setTimeout(() => this.wake(), Math.min(Math.max(ms, 0), MAX_TIMER_MS));
    this.timer.unref();
  }

  private send(delivery: Delivery): void {
    const { id, host } = delivery;
    const abort = new AbortController();
    this.slots.take(host);
    const done = this.carry(delivery, abort.signal);
    this.underWay.set(id, { done, abort });
  }

  private async carry(delivery: Delivery, signal: AbortSignal): Promise<void> {
    const well = await this.attempt(delivery, signal);
    this.underWay.delete(delivery.id);
    this.slots.give(delivery.host, well);
    this.wake();
  }

  /** @returns whether it was taken; undefined: nobody can tell. Never rejects. */
  private async attempt(delivery: Delivery, signal: AbortSignal): Promise<boolean | undefined> {
    let answer: Answer;
    try {
      answer = await this.poster.post(delivery, this.options.tryMs ?? TRY_MS, signal);
    } catch {
      return undefined;
    }
    while (!this.record(delivery, answer)) {
      // It must neither be sent again and again, nor be forgotten that it was.
      if (!this.open) return undefined;
      await delay(STATE_RETRY_MS);
    }
    return isTaken(answer);
  }

  private record({ id, job, event, tries }: Delivery, answer: Answer): boolean {
    const pause = answer.status === GONE ? undefined : pauseAfter(tries + 1, this.options.schedule);
    try {
      if (isTaken(answer)) this.store.taken(id, answer);
      else this.store.refused(id, answer, pause === undefined ? undefined : Date.now() + wait(pause, answer));
    } catch (error) {
      this.logger.error(`What became of ${id} cannot be written down: ${(error as Error).message}`);
      return false;
    }
    if (isTaken(answer) || pause !== undefined) return true;
    this.logger.warn(
      `Job ${job}: ${event} was not taken (${answer.error ?? answer.status}), and is a dead letter`,
    );
    return true;
  }
}

/** As long as the receiver wants, within bounds, and no less than it is its turn. */
function wait(pause: number, { retryAfterMs = 0 }: Answer): number {
  return Math.max(pause, Math.min(retryAfterMs, MAX_RETRY_AFTER_MS));
}
