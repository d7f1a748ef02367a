import { setTimeout as delay } from 'node:timers/promises';
import CachePolicy from 'http-cache-semantics';
import { type Fetched, type Outbound, OutboundError } from '../../outbound/index.js';
import { FairLimit } from './fair-limit.js';
import { type FetchedFile, Spool } from './spool.js';

export interface FetchLimits {
  /** Bytes of the largest file that is fetched. */
  maxBytes: number;
  /** Milliseconds for one file, all tries included. */
  timeoutMs: number;
  /** Milliseconds before the second try; it doubles, and is jittered. @default 500 */
  pauseMs?: number;
}

export const FETCH_LIMITS: FetchLimits = { maxBytes: 1024 ** 3, timeoutMs: 120_000 };

/** A file that stays as long as somebody needs it. */
export interface Lease {
  file: FetchedFile;
  release: () => void;
}

/** Files fetched at the same time, and of one caller. */
const FETCHES_AT_ONCE = 64;
const FETCHES_EACH = 8;

/** Tries at one file. */
const TRIES = 3;

/** Milliseconds for which a file is not fetched again, where its server says nothing of it; and at most. */
const REUSE_MS = 60_000;
const MAX_REUSE_MS = 600_000;

/** Bytes of files that nobody needs at the moment. */
const MAX_IDLE_BYTES = 1024 ** 3;

/** Milliseconds between looks for what has had its time. */
const SWEEP_MS = 5_000;

/** One URL, being fetched or here. */
interface Entry {
  url: string;
  file: Promise<FetchedFile>;
  stopping: AbortController;
  /** Those who need it. */
  users: number;
  /** Nobody else gets it: another one has its place, or it came to nothing. */
  stale: boolean;
  /** There once it is here: until when it may be given to others, in ms since the epoch. */
  here?: { file: FetchedFile; until: number };
}

/**
 * Files that workflows name by URL. Those who name the same one share it: while it is on its way, while somebody needs it, and for
 * a moment after that, as long as its server says that it may be reused (RFC 9111), or a minute where that says nothing.
 */
export class FetchedFiles {
  /** Those that others may get, by URL; the oldest first. */
  private readonly shared = new Map<string, Entry>();
  /** These, and those that somebody still needs. */
  private readonly all = new Set<Entry>();
  private readonly limit = new FairLimit(FETCHES_AT_ONCE, FETCHES_EACH);
  private readonly spool = new Spool();
  private idleBytes = 0;
  private sweeping: NodeJS.Timeout | undefined;

  constructor(
    private readonly outbound: Pick<Outbound, 'get'>,
    private readonly limits: FetchLimits,
  ) {}

  /**
   * @param caller whose turn it takes
   * @throws OutboundError; StorageError where the disk does not take it; the signal's reason
   */
  async lease(url: string, caller: string, signal: AbortSignal): Promise<Lease> {
    signal.throwIfAborted();
    const entry = this.take(url, caller);
    const release = once(() => this.release(entry));
    const abort = abortOf(signal);
    try {
      return { file: await Promise.race([entry.file, abort.promise]), release };
    } catch (error) {
      release();
      throw error;
    } finally {
      abort.end();
    }
  }

  /** Stops what is under way and removes all files. */
  async close(): Promise<void> {
    clearInterval(this.sweeping);
    const files = [...this.all].map(({ stopping, file }) => {
      stopping.abort(new Error('The server is shutting down'));
      return file;
    });
    await Promise.allSettled(files);
    await this.spool.close();
  }

  private take(url: string, caller: string): Entry {
    const known = this.shared.get(url);
    const good = known !== undefined && (known.here === undefined || this.isGood(known.here));
    if (known !== undefined && !good) this.retire(known);
    const entry = good ? known : this.begin(url, caller);
    if (entry.users === 0) this.idleBytes -= entry.here?.file.size ?? 0;
    entry.users += 1;
    return entry;
  }

  private isGood({ file, until }: NonNullable<Entry['here']>): boolean {
    return until > Date.now() && this.spool.has(file);
  }

  private begin(url: string, caller: string): Entry {
    const stopping = new AbortController();
    const file = this.limit.run(caller, async () => {
      const { file, reuseMs } = await this.fetch(url, stopping.signal);
      entry.here = { file, until: Date.now() + reuseMs };
      return file;
    });
    const entry: Entry = { url, file, stopping, users: 0, stale: false };
    file.catch(() => this.retire(entry));
    this.shared.set(url, entry);
    this.all.add(entry);
    this.sweeping ??= setInterval(() => this.sweep(), SWEEP_MS).unref();
    return entry;
  }

  private release(entry: Entry): void {
    entry.users -= 1;
    if (entry.users > 0) return;
    const { here } = entry;
    this.idleBytes += here?.file.size ?? 0;
    if (here === undefined) {
      this.retire(entry);
      entry.stopping.abort(new Error('Nobody needs it any more'));
    } else if (entry.stale || here.until <= Date.now()) this.retire(entry);
    else if (this.idleBytes > MAX_IDLE_BYTES) this.sweep();
  }

  /** Removes what nobody needs, where its time is over or where it is too much: the oldest first. */
  private sweep(): void {
    const now = Date.now();
    for (const entry of this.shared.values()) {
      const { users, here } = entry;
      if (users > 0 || here === undefined) continue;
      if (here.until <= now || this.idleBytes > MAX_IDLE_BYTES) this.retire(entry);
    }
  }

  /** Nobody else gets it, and it goes once nobody needs it. */
  private retire(entry: Entry): void {
    entry.stale = true;
    if (this.shared.get(entry.url) === entry) this.shared.delete(entry.url);
    if (entry.users > 0 || !this.all.delete(entry) || entry.here === undefined) return;
    this.idleBytes -= entry.here.file.size;
    void this.spool.remove(entry.here.file);
  }

  private async fetch(url: string, signal: AbortSignal) {
    const deadline = performance.now() + this.limits.timeoutMs;
    for (let tries = 1; ; tries += 1) {
      try {
        return await this.fetchOnce(url, Math.max(1, Math.ceil(deadline - performance.now())), signal);
      } catch (error) {
        signal.throwIfAborted();
        const pause = (this.limits.pauseMs ?? 500) * 2 ** (tries - 1) * (0.5 + Math.random() / 2);
        const again = error instanceof OutboundError && error.retryable && error.code !== 'timeout';
        if (!again || tries >= TRIES || performance.now() + pause >= deadline) throw error;
        await delay(pause, undefined, { signal });
      }
    }
  }

  private async fetchOnce(url: string, timeoutMs: number, signal: AbortSignal) {
    const { maxBytes } = this.limits;
    const fetched = await this.outbound.get(url, { maxBytes, timeoutMs, signal });
    const about = { size: fetched.size, name: nameIn(url), maxBytes };
    const file = await this.spool.write(fetched.body, about, signal);
    return { file, reuseMs: reuseMsOf(url, fetched) };
  }
}

function reuseMsOf(url: string, { headers }: Fetched): number {
  const told = headers['cache-control'] !== undefined || headers['expires'] !== undefined;
  if (!told) return REUSE_MS;
  const policy = new CachePolicy({ url, headers: {} }, { status: 200, headers: { ...headers } });
  return policy.storable() ? Math.min(MAX_REUSE_MS, policy.timeToLive()) : 0;
}

/** The last part of the path: a hint for what the bytes do not tell. */
function nameIn(url: string): string {
  return new URL(url).pathname.split('/').at(-1) ?? '';
}

/** Rejects when the signal is aborted, until it is ended. */
function abortOf(signal: AbortSignal): { promise: Promise<never>; end: () => void } {
  let stop: () => void = () => undefined;
  const promise = new Promise<never>((_, reject) => {
    stop = () => reject(signal.reason as Error);
    signal.addEventListener('abort', stop, { once: true });
  });
  return { promise, end: () => signal.removeEventListener('abort', stop) };
}

function once(work: () => void): () => void {
  let done = false;
  return () => {
    if (done) return;
    done = true;
    work();
  };
}
