import { createWriteStream } from 'node:fs';
import { mkdtemp, rm, unlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { setTimeout as delay } from 'node:timers/promises';
import CachePolicy from 'http-cache-semantics';
import pLimit from 'p-limit';
import { HashingStream } from '../../assets/index.js';
import { type Fetched, type Outbound, OutboundError } from '../../outbound/index.js';
import { type MediaType, sniffMediaType, SNIFFED_BYTES, StorageError } from '../../storage/index.js';

export interface FetchLimits {
  /** Bytes of the largest file that is fetched. */
  maxBytes: number;
  /** Milliseconds for one file, all tries included. */
  timeoutMs: number;
}

export const FETCH_LIMITS: FetchLimits = { maxBytes: 1024 ** 3, timeoutMs: 120_000 };

/** A file that was fetched, on this machine's disk for a while. */
export interface FetchedFile {
  path: string;
  /** Bytes. */
  size: number;
  /** `blake3:<hex>`. */
  hash: string;
  /** What its bytes are. */
  type: MediaType;
}

/** A file that stays as long as somebody needs it. */
export interface Lease {
  file: FetchedFile;
  release: () => void;
}

/** Files fetched at the same time. */
const FETCHES_AT_ONCE = 32;

/** Tries at one file, and milliseconds before the second; it doubles. */
const TRIES = 3;
const PAUSE_MS = 500;

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
  /** There once it is here: until when it may be given to others, in ms since the epoch. */
  here?: { file: FetchedFile; until: number };
}

/**
 * Files that workflows name by URL. Those who name the same one share it: while it is on its way, while somebody needs it, and for
 * a moment after that, as long as its server says that it may be reused (RFC 9111), or a minute where that says nothing.
 */
export class FetchedFiles {
  private readonly entries = new Map<string, Entry>();
  /** Those whose place in `entries` another one has taken. */
  private readonly replaced = new Set<Entry>();
  private readonly limit = pLimit(FETCHES_AT_ONCE);
  private folder: Promise<string> | undefined;
  private sweeping: NodeJS.Timeout | undefined;
  private count = 0;

  constructor(
    private readonly outbound: Pick<Outbound, 'get'>,
    private readonly limits: FetchLimits,
  ) {}

  /** @throws OutboundError; StorageError where the disk does not take it; the signal's reason */
  async lease(url: string, signal: AbortSignal): Promise<Lease> {
    signal.throwIfAborted();
    const entry = this.entryOf(url);
    entry.users += 1;
    const release = once(() => this.release(entry));
    try {
      return { file: await Promise.race([entry.file, abortOf(signal)]), release };
    } catch (error) {
      release();
      throw error;
    }
  }

  /** Stops what is under way and removes all files. */
  async close(): Promise<void> {
    clearInterval(this.sweeping);
    const entries = [...this.entries.values(), ...this.replaced];
    for (const { stopping } of entries) stopping.abort(new Error('The server is shutting down'));
    await Promise.allSettled(entries.map(({ file }) => file));
    const folder = await this.folder?.catch(() => undefined);
    if (folder !== undefined) await rm(folder, { recursive: true, force: true });
  }

  private entryOf(url: string): Entry {
    const known = this.entries.get(url);
    if (known !== undefined && (known.here === undefined || known.here.until > Date.now())) return known;
    if (known !== undefined) {
      this.replaced.add(known);
      if (known.users === 0) this.remove(known);
    }
    const entry = this.begin(url);
    this.entries.set(url, entry);
    return entry;
  }

  private begin(url: string): Entry {
    const stopping = new AbortController();
    const file = this.limit(async () => {
      const { file, reuseMs } = await this.fetch(url, stopping.signal);
      entry.here = { file, until: Date.now() + reuseMs };
      return file;
    });
    const entry: Entry = { url, file, stopping, users: 0 };
    file.catch(() => this.forget(entry));
    this.sweeping ??= setInterval(() => this.sweep(), SWEEP_MS).unref();
    return entry;
  }

  private release(entry: Entry): void {
    entry.users -= 1;
    if (entry.users > 0) return;
    if (entry.here === undefined) {
      this.forget(entry);
      entry.stopping.abort(new Error('Nobody needs it any more'));
    } else if (this.replaced.has(entry) || entry.here.until <= Date.now()) this.remove(entry);
    else this.sweep();
  }

  /** Removes what nobody needs, where its time is over or where it is too much. */
  private sweep(): void {
    const now = Date.now();
    const idle = [...this.entries.values()].filter(({ users, here }) => users === 0 && here !== undefined);
    let bytes = 0;
    // The newest first: the oldest go where it is too much.
    for (const entry of idle.toReversed()) {
      bytes += entry.here?.file.size ?? 0;
      if (bytes > MAX_IDLE_BYTES || (entry.here?.until ?? 0) <= now) this.remove(entry);
    }
  }

  private remove(entry: Entry): void {
    this.forget(entry);
    // What stays behind goes with the folder.
    if (entry.here !== undefined) void unlink(entry.here.file.path).catch(() => undefined);
  }

  private forget(entry: Entry): void {
    this.replaced.delete(entry);
    if (this.entries.get(entry.url) === entry) this.entries.delete(entry.url);
  }

  private async fetch(url: string, signal: AbortSignal) {
    const deadline = performance.now() + this.limits.timeoutMs;
    for (let tries = 1; ; tries += 1) {
      try {
        return await this.fetchOnce(url, Math.max(1, Math.ceil(deadline - performance.now())), signal);
      } catch (error) {
        signal.throwIfAborted();
        const pause = PAUSE_MS * 2 ** (tries - 1) * (0.5 + Math.random() / 2);
        const again = error instanceof OutboundError && error.retryable && error.code !== 'timeout';
        if (!again || tries >= TRIES || performance.now() + pause >= deadline) throw error;
        await delay(pause, undefined, { signal });
      }
    }
  }

  private async fetchOnce(url: string, timeoutMs: number, signal: AbortSignal) {
    const { maxBytes } = this.limits;
    const fetched = await this.outbound.get(url, { maxBytes, timeoutMs, signal });
    const path = join(await this.place(fetched), String((this.count += 1)));
    try {
      const hashing = await HashingStream.create(maxBytes);
      const head = new Head();
      await pipeline(
        fetched.body,
        async function* (source: AsyncIterable<Buffer>) {
          for await (const chunk of source) {
            head.take(chunk);
            yield chunk;
          }
        },
        hashing,
        createWriteStream(path, { mode: 0o600 }),
        { signal },
      );
      const type = await sniffMediaType(head.bytes, nameIn(url));
      const file: FetchedFile = { path, size: hashing.bytes, hash: hashing.digest(), type };
      return { file, reuseMs: reuseMsOf(url, fetched) };
    } catch (error) {
      await unlink(path).catch(() => undefined);
      signal.throwIfAborted();
      throw asDiskError(error);
    }
  }

  /** For this user only; a system that cleans its temporary folders finds what a kill leaves behind. */
  private async place({ body }: Fetched): Promise<string> {
    try {
      return await (this.folder ??= mkdtemp(join(tmpdir(), 'comfy-sync-inputs-')));
    } catch (error) {
      body.destroy();
      this.folder = undefined;
      throw asDiskError(error);
    }
  }
}

/** The first bytes of a file, by which its type is told. */
class Head {
  private readonly chunks: Buffer[] = [];
  private length = 0;

  take(chunk: Buffer): void {
    if (this.length >= SNIFFED_BYTES) return;
    // A copy: the chunk is part of something larger.
    this.chunks.push(Buffer.from(chunk.subarray(0, SNIFFED_BYTES - this.length)));
    this.length += chunk.length;
  }

  get bytes(): Buffer {
    return Buffer.concat(this.chunks);
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

function asDiskError(error: unknown): unknown {
  const { code } = (error ?? {}) as NodeJS.ErrnoException;
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    return new StorageError('storage_full', 'full', 'The disk for files that are fetched is full.');
  }
  return error;
}

function abortOf(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
  });
}

function once(work: () => void): () => void {
  let done = false;
  return () => {
    if (done) return;
    done = true;
    work();
  };
}
