import { randomUUID } from 'node:crypto';
import { type Answer, isTaken, type Poster } from './poster.js';
import { type SlotLimits, Slots } from './slots.js';

/** Less than ends have, and none of theirs. */
const LIMITS: SlotLimits = { total: 8, perHost: 2 };

/** Milliseconds between two messages of a job. */
export const PROGRESS_EVERY_MS = 1_000;

/** Milliseconds for one: the end of the job waits for it. */
const TRY_MS = 5_000;

/** What became of a job's progress. */
export interface ProgressTally {
  /** Messages sent. */
  attempts: number;
  lastStatus: number | null;
  lastError: string | null;
  /** Milliseconds since the epoch. */
  lastAt: number | null;
}

interface Line {
  url: string;
  host: string;
  /** Makes the newest message, as soon as it may be sent. */
  newest: (() => string) | undefined;
  /** When the next may be sent. */
  notBefore: number;
  sending: AbortController | undefined;
  /** The job has ended. */
  closed: boolean;
  tally: ProgressTally;
}

/** Tells receivers how far jobs are: the newest only, once, and nothing that would hold up what matters. */
export class ProgressCourier {
  private readonly lines = new Map<string, Line>();
  private readonly slots = new Slots(LIMITS);
  private stopped = false;
  private timer: NodeJS.Timeout | undefined;

  /** @param onIdle the last message of a job that has ended is through: its tally is final */
  constructor(
    private readonly poster: Poster,
    private readonly onIdle: (job: string, tally: ProgressTally) => void,
    private readonly everyMs = PROGRESS_EVERY_MS,
  ) {}

  /** Jobs with a message on its way. */
  get busyJobs(): string[] {
    return [...this.lines].flatMap(([job, { sending }]) => (sending === undefined ? [] : [job]));
  }

  tallyOf(job: string): ProgressTally | undefined {
    return this.lines.get(job)?.tally;
  }

  /** Replaces what was not sent yet. */
  offer(job: string, url: string, body: () => string): void {
    if (this.stopped) return;
    const line = this.lines.get(job) ?? newLine(url);
    if (line.closed) return;
    line.newest = body;
    this.lines.set(job, line);
    this.sendDue();
  }

  /** The job has ended: what was not sent yet never is. */
  close(job: string): void {
    const line = this.lines.get(job);
    if (line === undefined) return;
    line.closed = true;
    line.newest = undefined;
    if (line.sending === undefined) this.forget(job, line);
  }

  /** What is on its way is broken off. */
  stop(): void {
    this.stopped = true;
    clearTimeout(this.timer);
    for (const { sending } of this.lines.values()) sending?.abort(new Error('The server stops'));
    this.lines.clear();
  }

  private sendDue(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    let next = Infinity;
    const now = Date.now();
    for (const [job, line] of this.lines) {
      if (line.newest === undefined || line.sending !== undefined) continue;
      if (line.notBefore <= now && this.slots.free && this.slots.hasRoom(line.host)) this.send(job, line);
      else next = Math.min(next, Math.max(line.notBefore, now + this.everyMs / 4));
    }
    if (next === Infinity) return;
    this.timer = setTimeout(() => this.sendDue(), next - now);
    this.timer.unref();
  }

  private send(job: string, line: Line): void {
    const body = line.newest?.() ?? '';
    // To the end of the line: others have their turn before it.
    this.lines.delete(job);
    this.lines.set(job, line);
    line.newest = undefined;
    line.sending = new AbortController();
    line.notBefore = Date.now() + this.everyMs;
    this.slots.take(line.host);
    const letter = { id: `msg_${randomUUID()}`, url: line.url, body };
    void this.poster.post(letter, TRY_MS, line.sending.signal).then(
      (answer) => this.settle(job, line, answer),
      () => undefined,
    );
  }

  private settle(job: string, line: Line, answer: Answer): void {
    if (this.stopped) return;
    this.slots.give(line.host, isTaken(answer));
    line.sending = undefined;
    line.tally = {
      attempts: line.tally.attempts + 1,
      lastStatus: answer.status ?? null,
      lastError: answer.error ?? null,
      lastAt: Date.now(),
    };
    if (line.closed) this.forget(job, line);
    this.sendDue();
  }

  private forget(job: string, { tally }: Line): void {
    this.lines.delete(job);
    this.onIdle(job, tally);
  }
}

function newLine(url: string): Line {
  return {
    url,
    host: new URL(url).host,
    newest: undefined,
    notBefore: 0,
    sending: undefined,
    closed: false,
    tally: { attempts: 0, lastStatus: null, lastError: null, lastAt: null },
  };
}
