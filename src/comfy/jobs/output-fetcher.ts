import { setTimeout as delay } from 'node:timers/promises';
import { stripped } from '../../images/index.js';
import { type Storage, StorageError, type StoredFile } from '../../storage/index.js';
import type { Backend } from '../backends/index.js';
import { asBackendError, BackendError, type FileRef, type RunOutput } from '../client/index.js';
import { ComfyError } from '../comfy.error.js';
import { nameOf } from './output-place.js';
import type { OutputProof } from './output-proof.js';
import { OutputTrouble } from './output-trouble.js';

export interface KeepLimits {
  /** Milliseconds for which a file is asked for again while its backend does not hand it out. */
  fetchRetryMs: number;
  /** The same while nobody listens there and the job can be run elsewhere. */
  refusedRetryMs: number;
  /** Milliseconds for which a file is written again while the storage does not take it. */
  storeRetryMs: number;
  /** Milliseconds that all files of a job may take, however slowly they come. */
  totalMs: number;
}

/** First and longest pause between two tries at a file, in milliseconds; it doubles, and is jittered. */
const MIN_PAUSE_MS = 100;
export const MAX_PAUSE_MS = 5_000;

/** Tries at a file, at least, before it can be the file's own fault that its connection breaks. */
const MIN_TRIES = 6;

export interface FetcherContext {
  backend: Backend;
  storage: Storage;
  proof: OutputProof;
  /** Nothing is stored with the workflow in it. */
  stripMetadata: boolean;
  /** Could another backend run the job again now, at no cost? */
  canRunElsewhere: () => boolean;
  signal: AbortSignal;
  limits: KeepLimits;
}

/** Brings the bytes of a job's outputs from its backend into storage. */
export class OutputFetcher {
  constructor(private readonly context: FetcherContext) {}

  /** May the file be fetched while the prompt still runs? Otherwise it has to be shown first that it is the job's. */
  isOwn(output: RunOutput): boolean {
    return output.form !== 'file' || this.context.proof.isOwn(output.file);
  }

  /** @throws ComfyError `backend_lost`; OutputTrouble, the backend has no part in that; StorageError */
  bring(output: RunOutput): Promise<StoredFile> {
    return this.persist(() => this.put(output));
  }

  /**
   * What is rendered is not thrown away: while its backend is back in a moment, or the storage may be, it is tried again.
   * @throws as `bring`
   */
  async persist(put: () => Promise<StoredFile>): Promise<StoredFile> {
    const { signal } = this.context;
    const since = performance.now();
    let refusedSince: number | undefined;
    let pause = MIN_PAUSE_MS;
    for (let tries = 1; ; tries += 1) {
      signal.throwIfAborted();
      try {
        return await put();
      } catch (error) {
        signal.throwIfAborted();
        const wait = pause * (0.5 + Math.random() / 2);
        pause = Math.min(MAX_PAUSE_MS, pause * 2);
        if (error instanceof BackendError && tries >= MIN_TRIES && (await this.isFaultOfFile(error)))
          throw unreachable(error);
        const now = performance.now();
        refusedSince = error instanceof BackendError && error.refused ? (refusedSince ?? now) : undefined;
        const patience = this.patienceWith(error);
        // One that hangs uses up all patience by itself, and deserves a second try all the same.
        if (
          patience === 0 ||
          (tries > 1 && now - since + wait > patience) ||
          this.isDead(refusedSince, now + wait)
        ) {
          throw error instanceof BackendError ? await this.fetchError(error) : error;
        }
        // Aborted while it waits: the loop's first line throws the reason.
        await delay(wait, undefined, { signal }).catch(() => undefined);
      }
    }
  }

  /** Has nobody listened for so long that the job is better run elsewhere? */
  private isDead(refusedSince: number | undefined, then: number): boolean {
    const { backend, limits, canRunElsewhere } = this.context;
    if (refusedSince === undefined || then - refusedSince <= limits.refusedRetryMs) return false;
    // A proxy may refuse the file alone.
    return backend.phase === 'unreachable' && canRunElsewhere();
  }

  /** Milliseconds for which a file is tried again after this error. */
  private patienceWith(error: unknown): number {
    if (error instanceof BackendError) return isRefusal(error) ? 0 : this.context.limits.fetchRetryMs;
    if (!(error instanceof StorageError)) return 0;
    switch (error.reason) {
      case 'full':
      case 'read_only':
        return this.context.limits.storeRetryMs;
      case 'integrity':
        // Fewer or more bytes came than were announced.
        return error.retryable ? this.context.limits.storeRetryMs : 0;
      default:
        // What passes at the bucket, the storage itself has tried again.
        return 0;
    }
  }

  private put(output: RunOutput): Promise<StoredFile> {
    const { signal, storage } = this.context;
    if (output.form === 'file') return this.fetch(output.file);
    const body = output.form === 'text' ? bytesOf(output.text) : output.bytes;
    return storage.put({ body, size: body.length, filename: nameOf(output), signal });
  }

  private async fetch(file: FileRef): Promise<StoredFile> {
    const { signal, storage, backend, proof, stripMetadata } = this.context;
    // ComfyUI's answer names the file in a header, and breaks off where the name cannot stand in one.
    if (/\p{Cc}/u.test(file.filename)) throw unusableName();
    const own = proof.isOwn(file);
    let seen: { etag: string | undefined; lastModified: number | undefined } | undefined;
    let sourceError: unknown;
    const fetch = async () => {
      const viewed = await backend.view(file, signal).catch((error: unknown) => {
        throw isMissing(error) ? missing(proof.isPreview(file), error) : error;
      });
      viewed.body.once('error', (error) => (sourceError = error));
      try {
        if (!own) proof.expectWrittenByRun(viewed);
      } catch (error) {
        viewed.body.destroy();
        throw error;
      }
      seen = { etag: viewed.etag, lastModified: viewed.lastModified };
      // It gets shorter, which the storage would take for a file that was cut off; undici sees to it that none is.
      return stripMetadata ? { body: stripped(viewed.body) } : viewed;
    };
    try {
      const stored = await storage.put({ fetch, filename: file.filename, mayBeEmpty: true, signal });
      if (!own && seen !== undefined) await this.expectUnchanged(file, seen, stored);
      return stored;
    } catch (error) {
      signal.throwIfAborted();
      if (error === sourceError) throw asBackendError(error);
      throw error;
    }
  }

  /** Somebody else may have written into the file while it was read. @throws OutputTrouble */
  private async expectUnchanged(
    file: FileRef,
    seen: { etag: string | undefined; lastModified: number | undefined },
    stored: StoredFile,
  ): Promise<void> {
    const { backend, proof, signal, storage } = this.context;
    try {
      const again = await backend.view(file, signal);
      again.body.on('error', () => undefined).destroy();
      proof.expectUnchanged(seen, again);
    } catch (error) {
      // Nobody will ever name it.
      await storage.discard(stored.key);
      throw error;
    }
  }

  /** Does its connection break each time, while the backend answers? A silent one may yet come. */
  private async isFaultOfFile({ fault }: BackendError): Promise<boolean> {
    return fault === 'broken' && (await this.context.backend.isAnswering());
  }

  /** Whose fault is it that the file does not come? The backend's only where it answers nothing else either. */
  private async fetchError(error: BackendError): Promise<ComfyError | OutputTrouble> {
    if (isRefusal(error)) {
      return new OutputTrouble(
        'refused',
        'ComfyUI does not hand out the file that the node made. Choose another filename_prefix, without "..".',
        error,
      );
    }
    if (await this.context.backend.isAnswering()) return unreachable(error);
    return new ComfyError('backend_lost', 'The backend was lost while its files were fetched.', {
      cause: error,
    });
  }
}

function unusableName(): OutputTrouble {
  return new OutputTrouble(
    'refused',
    'ComfyUI cannot hand out a file whose name holds control characters, such as a line break.',
  );
}

function unreachable(cause: unknown): OutputTrouble {
  return new OutputTrouble(
    'unreachable',
    'The file cannot be fetched from ComfyUI, which answers everything else.',
    cause,
  );
}

function bytesOf(text: string): Buffer {
  // No text is stored empty: the file of an empty one holds the end of a line.
  return Buffer.from(text === '' ? '\n' : text);
}

/** It is there and answers, and will answer the same again (18). */
function isRefusal({ status }: BackendError): boolean {
  return status === 400 || status === 403 || status === 404;
}

function isMissing(error: unknown): boolean {
  return error instanceof BackendError && error.status === 404;
}

function missing(cached: boolean, cause: unknown): OutputTrouble {
  return new OutputTrouble(
    cached ? 'cached' : 'gone',
    'ComfyUI names a file that is not on its disk.',
    cause,
  );
}
