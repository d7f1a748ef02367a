import { randomUUID } from 'node:crypto';
import type { StateDatabase } from '../state/index.js';
import type { Answer } from './poster.js';
import type { WebhookEvent } from './webhook-events.js';

/** Who is told of a job. Times in this file are milliseconds since the epoch. */
export interface Subscription {
  job: string;
  url: string;
  events: readonly WebhookEvent[];
  /** What became of its progress, as text of `ProgressTally`, once the job has ended. */
  progress: string | null;
}

export type DeliveryStatus = 'pending' | 'delivered' | 'dead';

/** One thing that a receiver has to be told. */
export interface Delivery {
  /** Its place among all. */
  number: number;
  /** The `webhook-id`. */
  id: string;
  job: string;
  event: WebhookEvent;
  url: string;
  host: string;
  body: string;
  status: DeliveryStatus;
  /** Tries in all. */
  attempts: number;
  /** Tries since it was written, or sent again by an operator. */
  tries: number;
  lastStatus: number | null;
  lastError: string | null;
  lastAt: number | null;
  /** When it is tried next; null: not any more. */
  due: number | null;
  created: number;
}

/** What must not be taken now. */
export interface Except {
  ids: readonly string[];
  jobs: readonly string[];
  hosts: readonly string[];
}

export interface DeliveryFilter {
  status?: DeliveryStatus | undefined;
  /** Only those that came before this place. */
  before?: number | undefined;
  limit: number;
}

/** Settled deliveries and ended subscriptions in memory; a file has room for those of RETENTION_DAYS. */
const KEPT_IN_MEMORY = 1_000;

const COLUMNS =
  'number, id, job, event, url, host, body, status, attempts, tries, last_status AS lastStatus, last_error AS lastError, last_at AS lastAt, due, created';

/** Subscriptions and deliveries, in the database. Every method throws StateError. */
export class WebhookStore {
  constructor(private readonly database: StateDatabase) {}

  subscribe(job: string, url: string, events: readonly WebhookEvent[]): void {
    this.database.run(
      'INSERT INTO webhooks (job, url, events, created) VALUES (?, ?, ?, ?)',
      job,
      url,
      events.join(' '),
      Date.now(),
    );
  }

  subscription(job: string): Subscription | undefined {
    const row = this.database.get<SubscriptionRow>(
      'SELECT job, url, events, progress FROM webhooks WHERE job = ?',
      job,
    );
    return row && toSubscription(row);
  }

  /** Those whose job's end has not been dealt with. */
  unended(): Subscription[] {
    return this.database
      .all<SubscriptionRow>('SELECT job, url, events, progress FROM webhooks WHERE ended IS NULL')
      .map(toSubscription);
  }

  /** Deliveries that are or may become due. */
  get outstanding(): number {
    const count = (sql: string) => this.database.get<{ n: number }>(sql)?.n ?? 0;
    return (
      count("SELECT COUNT(*) AS n FROM webhook_deliveries WHERE status = 'pending'") +
      count('SELECT COUNT(*) AS n FROM webhooks WHERE ended IS NULL')
    );
  }

  /** The job has ended: from now on its delivery is due, if there is one to make. Done once, however often it is called. */
  end({ job, url }: Subscription, message: { event: WebhookEvent; body: string } | undefined): void {
    const now = Date.now();
    this.database.transaction(() => {
      const changed = this.database.run(
        'UPDATE webhooks SET ended = ? WHERE job = ? AND ended IS NULL',
        now,
        job,
      );
      if (changed === 0 || message === undefined) return;
      this.database.run(
        `INSERT INTO webhook_deliveries (id, job, event, url, host, body, status, attempts, tries, due, created)
         VALUES (?, ?, ?, ?, ?, ?, 'pending', 0, 0, ?, ?)`,
        `msg_${randomUUID()}`,
        job,
        message.event,
        url,
        new URL(url).host,
        message.body,
        now,
        now,
      );
    });
  }

  keepProgress(job: string, progress: string): void {
    this.database.run('UPDATE webhooks SET progress = ? WHERE job = ?', progress, job);
  }

  /** The delivery that has been due longest, and has none of its job before it. */
  nextDue(now: number, { ids, jobs, hosts }: Except): Delivery | undefined {
    // The planner would take the index by status for both, and compare each delivery with all the others.
    return this.database.get<Delivery>(
      `SELECT ${COLUMNS} FROM webhook_deliveries AS this INDEXED BY webhook_deliveries_due
       WHERE status = 'pending' AND due <= ?
         AND host NOT IN (SELECT value FROM json_each(?))
         AND id NOT IN (SELECT value FROM json_each(?))
         AND job NOT IN (SELECT value FROM json_each(?))
         AND NOT EXISTS (SELECT 1 FROM webhook_deliveries AS earlier INDEXED BY webhook_deliveries_by_job
           WHERE earlier.job = this.job AND earlier.number < this.number AND earlier.status = 'pending')
       ORDER BY due, number LIMIT 1`,
      now,
      JSON.stringify(hosts),
      JSON.stringify(ids),
      JSON.stringify(jobs),
    );
  }

  /** When the next one becomes due; undefined: none will. */
  dueAfter(now: number): number | undefined {
    const row = this.database.get<{ due: number | null }>(
      "SELECT MIN(due) AS due FROM webhook_deliveries WHERE status = 'pending' AND due > ?",
      now,
    );
    return row?.due ?? undefined;
  }

  taken(id: string, answer: Answer): void {
    this.record(id, answer, 'delivered', null);
  }

  /** @param due of the next try; undefined: there is none, it is a dead letter */
  refused(id: string, answer: Answer, due: number | undefined): void {
    this.record(id, answer, due === undefined ? 'dead' : 'pending', due ?? null);
  }

  /** Due at once, with all its tries before it. @returns false: there is none of this id */
  again(id: string): boolean {
    return (
      this.database.run(
        "UPDATE webhook_deliveries SET status = 'pending', tries = 0, due = ?, settled = NULL WHERE id = ?",
        Date.now(),
        id,
      ) > 0
    );
  }

  find(id: string): Delivery | undefined {
    return this.database.get<Delivery>(`SELECT ${COLUMNS} FROM webhook_deliveries WHERE id = ?`, id);
  }

  ofJob(job: string): Delivery[] {
    return this.database.all<Delivery>(
      `SELECT ${COLUMNS} FROM webhook_deliveries WHERE job = ? ORDER BY number`,
      job,
    );
  }

  /** The newest first, one more than the limit where there are more. */
  list({ status, before, limit }: DeliveryFilter): { deliveries: Delivery[]; next: number | undefined } {
    const conditions = [
      ...(before === undefined ? [] : ['number < ?']),
      ...(status === undefined ? [] : ['status = ?']),
    ];
    const where = conditions.length === 0 ? '' : `WHERE ${conditions.join(' AND ')}`;
    const rows = this.database.all<Delivery>(
      `SELECT ${COLUMNS} FROM webhook_deliveries ${where} ORDER BY number DESC LIMIT ?`,
      ...(before === undefined ? [] : [before]),
      ...(status === undefined ? [] : [status]),
      limit + 1,
    );
    const deliveries = rows.slice(0, limit);
    return { deliveries, next: rows.length > limit ? deliveries.at(-1)?.number : undefined };
  }

  /** Forgets what is settled for long enough; in memory what is too much. @param keepMs undefined: for ever */
  sweep(keepMs: number | undefined): void {
    if (this.database.durable && keepMs === undefined) return;
    const before = (column: string, table: string) =>
      this.database.durable
        ? Date.now() - (keepMs ?? 0)
        : this.database.get<{ at: number }>(
            `SELECT ${column} AS at FROM ${table} WHERE ${column} IS NOT NULL ORDER BY ${column} DESC LIMIT 1 OFFSET ?`,
            KEPT_IN_MEMORY,
          )?.at;
    const settled = before('settled', 'webhook_deliveries');
    if (settled !== undefined)
      this.database.run('DELETE FROM webhook_deliveries WHERE settled <= ?', settled);
    const ended = before('ended', 'webhooks');
    if (ended !== undefined) {
      this.database.run(
        'DELETE FROM webhooks WHERE ended <= ? AND job NOT IN (SELECT job FROM webhook_deliveries)',
        ended,
      );
    }
  }

  private record(id: string, { status, error }: Answer, outcome: DeliveryStatus, due: number | null): void {
    const now = Date.now();
    this.database.run(
      `UPDATE webhook_deliveries SET status = ?, attempts = attempts + 1, tries = tries + 1,
         last_status = ?, last_error = ?, last_at = ?, due = ?, settled = ? WHERE id = ?`,
      outcome,
      status ?? null,
      error ?? null,
      now,
      due,
      outcome === 'pending' ? null : now,
      id,
    );
  }
}

interface SubscriptionRow {
  job: string;
  url: string;
  events: string;
  progress: string | null;
}

function toSubscription({ events, ...row }: SubscriptionRow): Subscription {
  return { ...row, events: events.split(' ') as WebhookEvent[] };
}
