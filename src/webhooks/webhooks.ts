import {
  type BeforeApplicationShutdown,
  Inject,
  Injectable,
  Logger,
  type OnApplicationBootstrap,
  type OnApplicationShutdown,
} from '@nestjs/common';
import { Subscription as Watching } from 'rxjs';
import { ComfyService, isFinal, type JobState, type JobUpdate } from '../comfy/index.js';
import type { Attachment } from '../idempotency/index.js';
import { Outbound, OutboundError } from '../outbound/index.js';
import { fieldProblem, ProblemException } from '../problem/index.js';
import { StateDatabase } from '../state/index.js';
import { Courier } from './courier.js';
import { endBody, goneBody, progressBody } from './payload.js';
import { Poster } from './poster.js';
import { ProgressCourier, type ProgressTally } from './progress-courier.js';
import { Signer } from './signer.js';
import { DEFAULT_EVENTS, endEventOf, WEBHOOK_EVENTS, type WebhookEvent } from './webhook-events.js';
import { type Delivery, type DeliveryFilter, type Subscription, WebhookStore } from './webhook-store.js';
import { toJobWebhook } from './webhook-view.js';
import type { JobWebhookDto } from './webhooks.dto.js';
import { WEBHOOKS_OPTIONS, type WebhooksOptions } from './webhooks.module-definition.js';

/** Deliveries that are or may become due: more are not promised. On a disk there is room for more. */
export const MAX_OUTSTANDING = { durable: 10_000, inMemory: 2_000 };

/** Milliseconds between two looks for what is too old, and until what could not be written is tried again. */
const SWEEP_MS = 600_000;
const STATE_RETRY_MS = 1_000;

/** Milliseconds that the last calls have, at most where they can be made again, and at least where they cannot. */
const LAST_CALLS_MS = 2_000;

/** In memory a look is due after so many ends. */
const SWEEP_AFTER_ENDS = 100;

/** What a request says of its webhook; what is null counts as left out. */
export interface WebhookFields {
  webhook_url?: string | null | undefined;
  webhook_events?: readonly WebhookEvent[] | null | undefined;
}

/** Tells receivers what becomes of jobs: what was promised is kept, over a restart too where the state has a folder. */
@Injectable()
export class Webhooks implements OnApplicationBootstrap, BeforeApplicationShutdown, OnApplicationShutdown {
  private readonly logger = new Logger(Webhooks.name);
  private readonly store: WebhookStore;
  /** Absent without secrets: then nothing is sent. */
  private readonly sending: { courier: Courier; progress: ProgressCourier; signer: Signer } | undefined;
  private readonly watching = new Map<string, Watching>();
  /** Ends whose delivery could not be written down yet; no more than jobs that were under way when that began. */
  private readonly unwritten = new Map<string, { subscription: Subscription; state: JobState }>();
  private readonly all = new Watching();
  private ends = 0;
  private stopsAt: number | undefined;
  private retry: NodeJS.Timeout | undefined;
  private sweeping: NodeJS.Timeout | undefined;

  constructor(
    private readonly comfy: ComfyService,
    private readonly database: StateDatabase,
    private readonly outbound: Outbound,
    @Inject(WEBHOOKS_OPTIONS) private readonly options: WebhooksOptions,
  ) {
    this.store = new WebhookStore(database);
    const { secrets = [], scheduleMs, tryMs } = options;
    if (secrets.length === 0) return;
    const signer = new Signer(secrets);
    const poster = new Poster(outbound, signer);
    const progress = new ProgressCourier(poster, (job, tally) => this.keepProgress(job, tally));
    const courier = new Courier(this.store, poster, {
      schedule: scheduleMs,
      tryMs,
      busyJobs: () => progress.busyJobs,
    });
    this.sending = { courier, progress, signer };
  }

  /**
   * What a request's webhook adds to its job; undefined where it has none.
   * @throws ProblemException `invalid_request`; with `write`, `webhooks_off` · `webhooks_full` and StateError
   */
  attach({ webhook_url: url, webhook_events: wanted }: WebhookFields): Attachment | undefined {
    if (url === undefined || url === null) {
      if (wanted === undefined || wanted === null) return undefined;
      throw fieldProblem({ field: 'webhook_events', message: 'is of use with webhook_url only' });
    }
    const { href } = this.expectAllowed(url);
    const events = WEBHOOK_EVENTS.filter((event) => (wanted ?? DEFAULT_EVENTS).includes(event));
    return {
      decisive: { url: href, events },
      // Here and not before: whoever only asks again for a job needs neither room nor secrets.
      write: (job) => {
        this.expectSigned(href);
        this.expectRoom();
        this.store.subscribe(job, href, events);
      },
    };
  }

  /** Who is told of a job, and how that goes; undefined where nobody is. @throws StateError */
  viewOf(job: string): JobWebhookDto | undefined {
    const subscription = this.store.subscription(job);
    if (subscription === undefined) return undefined;
    const kept = subscription.progress === null ? undefined : JSON.parse(subscription.progress);
    const progress = this.sending?.progress.tallyOf(job) ?? (kept as ProgressTally | undefined);
    return toJobWebhook(subscription, this.store.ofJob(job), progress);
  }

  /** @throws StateError */
  list(filter: DeliveryFilter): { deliveries: Delivery[]; next: number | undefined } {
    return this.store.list(filter);
  }

  /** @throws StateError */
  find(id: string): Delivery | undefined {
    return this.store.find(id);
  }

  /**
   * Sends a delivery at once, and again as if it were new where that fails.
   * @returns undefined: there is none of this id
   * @throws ProblemException `webhooks_off` · `webhooks_full`; StateError
   */
  resend(id: string): Delivery | undefined {
    const delivery = this.store.find(id);
    if (delivery === undefined) return undefined;
    const sending = this.expectSending('This server');
    if (delivery.status !== 'pending') this.expectRoom();
    this.store.again(id);
    sending.courier.wake();
    return this.store.find(id);
  }

  onApplicationBootstrap(): void {
    this.recover();
    this.sweep();
    this.sweeping = setInterval(() => this.sweep(), SWEEP_MS).unref();
    if (this.sending === undefined) {
      const { outstanding } = this.store;
      if (outstanding > 0)
        this.logger.warn(`${outstanding} webhooks wait: WEBHOOK_SECRETS is not set, so none can be signed`);
      return;
    }
    this.all.add(this.comfy.submitted$.subscribe(({ id }) => this.begin(id)));
    this.sending.courier.start();
  }

  beforeApplicationShutdown(): void {
    this.stopsAt = Date.now() + (this.options.shutdownGraceMs ?? 25_000);
  }

  /** After the last jobs have ended, which have something to tell. May be called twice. */
  async onApplicationShutdown(): Promise<void> {
    if (this.all.closed) return;
    this.all.unsubscribe();
    for (const watching of this.watching.values()) watching.unsubscribe();
    clearTimeout(this.retry);
    clearInterval(this.sweeping);
    this.sending?.progress.stop();
    await this.sending?.courier.stop(this.graceMs());
    if (!this.database.durable) this.tellLost();
  }

  private tellLost(): void {
    try {
      const { outstanding } = this.store;
      if (outstanding > 0) this.logger.warn(`${outstanding} webhooks are lost: STATE_DIR is not set`);
    } catch (error) {
      this.logger.error(`Whether webhooks are lost cannot be read: ${(error as Error).message}`);
    }
  }

  /** Milliseconds for calls under way: where the next process tries them again nobody has to wait for a receiver that hangs. */
  private graceMs(): number {
    const left = Math.max(0, (this.stopsAt ?? 0) - Date.now());
    return this.database.durable ? Math.min(left, LAST_CALLS_MS) : Math.max(left, LAST_CALLS_MS);
  }

  /** Goes on with what an earlier process left: jobs may have ended without a word, or go on. */
  private recover(): void {
    for (const subscription of this.store.unended()) {
      const state = this.comfy.find(subscription.job);
      if (state === undefined) this.store.end(subscription, this.gone(subscription));
      else this.follow(subscription);
    }
  }

  private gone({ job, events }: Subscription): { event: WebhookEvent; body: string } | undefined {
    if (!events.includes('job.failed')) return undefined;
    return { event: 'job.failed', body: goneBody(job, this.options.baseUrl ?? '') };
  }

  private begin(job: string): void {
    try {
      const subscription = this.store.subscription(job);
      if (subscription !== undefined) this.follow(subscription);
    } catch (error) {
      // It was written a moment ago; the next start finds it.
      this.logger.error(`Job ${job}: its webhook cannot be read: ${(error as Error).message}`);
    }
  }

  /** Counts as watching: hanging up does not cancel a job whose end somebody else is to be told. */
  private follow(subscription: Subscription): void {
    const watching = new Watching();
    this.watching.set(subscription.job, watching);
    watching.add(this.comfy.watch(subscription.job).subscribe((update) => this.take(subscription, update)));
  }

  private take(subscription: Subscription, { state, event }: JobUpdate): void {
    const { job, url, events } = subscription;
    if (isFinal(state)) {
      this.watching.delete(job);
      this.sending?.progress.close(job);
      this.unwritten.set(job, { subscription, state });
      // Else it is tried in a moment, with the others.
      if (this.retry === undefined) this.writeEnds();
    } else if (event?.type === 'progress' && events.includes('job.progress')) {
      const body = () => progressBody(state, event.progress, this.options.baseUrl ?? '');
      this.sending?.progress.offer(job, url, body);
    }
  }

  private writeEnds(): void {
    this.retry = undefined;
    try {
      for (const [job, { subscription, state }] of this.unwritten) {
        const event = endEventOf(state);
        const wanted = event !== undefined && subscription.events.includes(event);
        const body = wanted ? endBody(event, state, this.options.baseUrl ?? '') : '';
        this.store.end(subscription, wanted ? { event, body } : undefined);
        this.unwritten.delete(job);
        this.ends += 1;
      }
    } catch (error) {
      this.logger.error(
        `${this.unwritten.size} webhooks cannot be written down: ${(error as Error).message}`,
      );
      this.retry = setTimeout(() => this.writeEnds(), STATE_RETRY_MS).unref();
    }
    this.sending?.courier.wake();
    if (this.database.durable || this.ends < SWEEP_AFTER_ENDS) return;
    this.ends = 0;
    this.sweep();
  }

  private keepProgress(job: string, tally: ProgressTally): void {
    try {
      this.store.keepProgress(job, JSON.stringify(tally));
    } catch (error) {
      this.logger.error(`Job ${job}: how its progress was told is lost: ${(error as Error).message}`);
    }
    this.sending?.courier.wake();
  }

  private sweep(): void {
    try {
      this.store.sweep(this.options.retentionMs);
    } catch (error) {
      this.logger.error(`Old webhooks could not be removed: ${(error as Error).message}`);
    }
  }

  /** @throws ProblemException `invalid_request` */
  private expectAllowed(url: string): URL {
    try {
      return this.outbound.check(url);
    } catch (error) {
      if (!(error instanceof OutboundError)) throw error;
      throw fieldProblem({ field: 'webhook_url', message: error.message });
    }
  }

  /** @throws ProblemException `webhooks_off` */
  private expectSending(who: string): NonNullable<typeof this.sending> {
    if (this.sending !== undefined) return this.sending;
    throw new ProblemException(
      'webhooks_off',
      `${who} signs no webhooks, because its operator has not set WEBHOOK_SECRETS.`,
    );
  }

  /** @throws ProblemException `webhooks_off` */
  private expectSigned(url: string): void {
    const { signer } = this.expectSending('webhook_url: this server');
    if (signer.secretsFor(url).length > 0) return;
    throw new ProblemException(
      'webhooks_off',
      'webhook_url: this server signs no webhooks for this receiver, because WEBHOOK_SECRETS has no secret for it.',
    );
  }

  /** @throws ProblemException `webhooks_full` */
  private expectRoom(): void {
    const { durable, inMemory } = MAX_OUTSTANDING;
    if (this.store.outstanding < (this.database.durable ? durable : inMemory)) return;
    throw new ProblemException(
      'webhooks_full',
      'Too many webhooks wait to be delivered. Try again later, or without webhook_url.',
      { retry_after: 60 },
    );
  }
}
