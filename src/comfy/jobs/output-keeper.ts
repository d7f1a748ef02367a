import { setTimeout as delay } from 'node:timers/promises';
import pLimit from 'p-limit';
import type { Assets } from '../../assets/index.js';
import { type Images, stripped } from '../../images/index.js';
import { StateError } from '../../state/index.js';
import { type Storage, StorageError, type StoredFile } from '../../storage/index.js';
import type { Backend } from '../backends/index.js';
import { asBackendError, BackendError, type FileRef, type RunOutput } from '../client/index.js';
import { ComfyError } from '../comfy.error.js';
import { chooseOutputNode, type OutputPlace } from '../workflow/index.js';
import { convertOutput, expectImages, notInTime } from './converter.js';
import type { JobOutput, JobRequest } from './job.types.js';
import { inOrder } from './output-order.js';
import { outputTypeOf } from './output-type.js';
import type { PictureMemory } from './picture-memory.js';

/** Files of one job on their way from the backend into storage at the same time. */
const FILES_AT_ONCE = 4;

/** Characters up to which a text is also told in place, and of all such texts of a job together: the rest is in the files. */
export const MAX_INLINE_TEXT = 10_000;
const MAX_INLINE_TEXTS = 100_000;

export interface KeepLimits {
  /** Milliseconds for which a file is asked for again while its backend does not hand it out. */
  fetchRetryMs: number;
  /** Milliseconds for which a file is written again while the storage does not take it. */
  storeRetryMs: number;
  /** Milliseconds that all files of a job may take, however slowly they come. */
  totalMs: number;
}

/** First and longest pause between two tries at a file, in milliseconds; it doubles, and is jittered. */
const MIN_PAUSE_MS = 100;
const MAX_PAUSE_MS = 5_000;

/** What a keeper works for, and with. */
export interface KeeperContext {
  job: string;
  request: JobRequest;
  backend: Backend;
  storage: Storage;
  assets: OutputRecords;
  images: Pick<Images, 'convert'>;
  /** Nothing is stored with the workflow in it, and nothing is converted with it unless that is asked for. */
  stripMetadata: boolean;
  signal: AbortSignal;
  limits: KeepLimits;
  memory: PictureMemory;
  /** A file is safe. */
  kept: (output: JobOutput) => void;
}

/** An output that came, with its place among the others. Not the output itself: that may hold a picture. */
type Taken = Pick<RunOutput, 'node' | 'displayNode' | 'form'> & {
  /** As it was made, once that is stored. */
  original?: Promise<PromiseSettledResult<JobOutput>>;
  /** As it is wanted. */
  kept?: Promise<PromiseSettledResult<JobOutput>>;
};

/** What is known of a file beside its bytes. */
type About = Pick<JobOutput, 'node' | 'place' | 'name'> & {
  typeOf: (stored: StoredFile) => JobOutput['type'];
};

/** Where files that jobs made are on record. */
export type OutputRecords = Pick<Assets, 'register' | 'remove'>;

/**
 * Brings a job's files into storage. Where it is certain that a file is wanted, it sets out as soon as it is announced, while
 * the backend is still busy with the rest.
 */
export class OutputKeeper {
  /** What waits for a decision. */
  private readonly announced = new Map<RunOutput, Taken>();
  private readonly limit = pLimit(FILES_AT_ONCE);
  /** Was anything saved that is wanted for certain, besides texts? */
  private saved = false;
  private inlineLeft = MAX_INLINE_TEXTS;
  /** What nodes said that were blocked, and so made nothing; the first of them. */
  private blocked: string | undefined;
  /** All that came, in this order. */
  private readonly taken: Taken[] = [];
  /** Ids of all assets that were made, originals as well. */
  private readonly made: string[] = [];
  /** What is wanted, in order, once that is known. */
  private wanted: readonly Taken[] = [];
  private readonly converting = new AbortController();

  constructor(private readonly context: KeeperContext) {}

  /** An output the run has announced. @throws ComfyError `backend_lost` where there is no room for a picture in memory */
  take(output: RunOutput): void {
    const { outputNode, allOutputs, includeTemp = false } = this.context.request;
    if (outputNode !== undefined && output.displayNode !== outputNode) return;
    if (output.form === 'memory' && !this.context.memory.take(output.bytes.length)) throw tooMuchInMemory();
    const { node, displayNode, form } = output;
    const taken: Taken = { node, displayNode, form };
    this.taken.push(taken);
    const certain = outputNode !== undefined || allOutputs;
    // What was only shown is wanted where nothing was saved, which is known at the end.
    if (!certain || (placeOf(output) === 'temp' && !includeTemp)) this.announced.set(output, taken);
    else {
      this.saved ||= isSaved(output);
      this.start(output, taken);
    }
  }

  /** A node was blocked with this message. */
  noteBlocked(message: string): void {
    this.blocked ??= message;
  }

  /**
   * Resolves when all that is wanted is safe, as it was made. Once the run is over.
   * @throws ComfyError `no_output` · `backend_lost`; StorageError
   */
  async originals(): Promise<void> {
    const { request } = this.context;
    const chosen = this.chosen();
    for (const [output, taken] of this.announced) if (chosen.includes(output)) this.start(output, taken);
    this.letGo();
    this.wanted = inOrder(this.taken, Object.keys(request.workflow)).filter(({ kept }) => kept !== undefined);
    if (this.wanted.length === 0 && !request.allOutputs) throw noOutput(request.outputNode, this.blocked);
    await valuesOf(this.wanted.map(({ original }) => original));
  }

  /**
   * After `originals`: all that is wanted, as it is wanted, in the order of the nodes in the workflow; of each node its files first
   * and then its texts, as it listed them.
   * @throws ComfyError `conversion_failed`; StorageError
   */
  async finish(): Promise<JobOutput[]> {
    const { convert } = this.context.request;
    const outputs = await valuesOf(this.wanted.map(({ kept }) => kept));
    if (convert !== undefined) expectImages(outputs, convert);
    return outputs;
  }

  /** What is not converted yet will not be. */
  async giveUpConverting(): Promise<void> {
    const { convert } = this.context.request;
    if (convert === undefined) return;
    const [first] = await valuesOf(this.wanted.map(({ original }) => original));
    this.converting.abort(notInTime(convert, first));
  }

  /** Takes back what was stored, once it is: no reply will ever name it. Never rejects. */
  async discard(): Promise<void> {
    await Promise.all(this.taken.flatMap(({ kept }) => kept ?? []));
    await Promise.allSettled(this.made.map((id) => this.context.assets.remove(id)));
  }

  /** What has not been decided about is not wanted. */
  letGo(): void {
    for (const output of this.announced.keys()) this.release(output);
    this.announced.clear();
  }

  private start(output: RunOutput, taken: Taken): void {
    this.announced.delete(output);
    const text = output.form === 'text' ? this.inline(output.text) : undefined;
    // Converting holds up neither the files that are still on the backend, nor the memory of a picture.
    const storing = this.limit(() => this.keep(output, text)).finally(() => this.release(output));
    taken.original = settled(storing);
    taken.kept = settled(storing.then((original) => this.deliver(original)));
  }

  private release(output: RunOutput): void {
    if (output.form === 'memory') this.context.memory.release(output.bytes.length);
  }

  /** The text, where it is short enough to be told in place. */
  private inline(text: string): string | undefined {
    if (text.length > Math.min(MAX_INLINE_TEXT, this.inlineLeft)) return undefined;
    this.inlineLeft -= text.length;
    return text;
  }

  /** What waited for a decision, and is wanted. */
  private chosen(): RunOutput[] {
    const { outputNode, allOutputs, includeTemp = false, workflow } = this.context.request;
    const announced = [...this.announced.keys()];
    if (allOutputs || outputNode !== undefined) return this.saved ? [] : announced;
    const places = placesOf(announced.filter(({ form }) => form !== 'text'));
    const node = chooseOutputNode(workflow, places.size > 0 ? places : placesOf(announced));
    const made = announced.filter(({ displayNode }) => displayNode === node);
    return !includeTemp && made.some(isSaved) ? made.filter((output) => placeOf(output) !== 'temp') : made;
  }

  private async keep(output: RunOutput, text: string | undefined): Promise<JobOutput> {
    const { displayNode: node, kind, form } = output;
    const typeOf = (stored: StoredFile) => (form === 'text' ? 'text' : outputTypeOf(stored, kind));
    const about = { node, place: placeOf(output), name: nameOf(output), typeOf };
    const original = await this.store(about, () => this.put(output));
    return text === undefined ? original : { ...original, text };
  }

  /** As the request wants it. */
  private async deliver(original: JobOutput): Promise<JobOutput> {
    const { request, images, storage, stripMetadata, kept } = this.context;
    const output =
      request.convert === undefined
        ? original
        : await convertOutput(
            original,
            { ...request.convert, stripMetadata: request.convert.stripMetadata ?? stripMetadata },
            {
              images,
              storage,
              signal: AbortSignal.any([this.context.signal, this.converting.signal]),
              store: (file, name) =>
                this.store({ ...original, name, typeOf: outputTypeOf }, () => storage.put(file)),
            },
          );
    kept(output);
    return output;
  }

  /** Stores a file, and puts it on record. */
  private async store(
    { node, place, name, typeOf }: About,
    put: () => Promise<StoredFile>,
  ): Promise<JobOutput> {
    const { job, storage, assets } = this.context;
    const stored = await this.persist(put);
    try {
      const { url, expiresAt } = await storage.link(stored);
      const { id } = await this.record(() => assets.register(stored, { job, path: name }));
      this.made.push(id);
      return { ...stored, id, node, type: typeOf(stored), place, name, url, expiresAt };
    } catch (error) {
      // Nobody will ever name it.
      await storage.discard(stored.key);
      throw error;
    }
  }

  /** Writes down that a file is there, as patiently as the file was written. @throws StateError */
  private async record<T>(write: () => T): Promise<T> {
    const { signal, limits } = this.context;
    const since = performance.now();
    for (;;) {
      try {
        return write();
      } catch (error) {
        if (!(error instanceof StateError) || performance.now() - since > limits.storeRetryMs) throw error;
        await delay(MAX_PAUSE_MS / 10, undefined, { signal });
      }
    }
  }

  /**
   * What is rendered is not thrown away: while its backend is back in a moment, or the storage may be, it is tried again.
   * @throws ComfyError `backend_lost`; StorageError
   */
  private async persist(put: () => Promise<StoredFile>): Promise<StoredFile> {
    const { signal } = this.context;
    const since = performance.now();
    let pause = MIN_PAUSE_MS;
    for (let tries = 1; ; tries += 1) {
      signal.throwIfAborted();
      try {
        return await put();
      } catch (error) {
        signal.throwIfAborted();
        const wait = pause * (0.5 + Math.random() / 2);
        pause = Math.min(MAX_PAUSE_MS, pause * 2);
        const patience = this.patienceWith(error);
        // One that hangs uses up all patience by itself, and deserves a second try all the same.
        if (patience === 0 || (tries > 1 && performance.now() - since + wait > patience)) {
          throw error instanceof BackendError ? fetchError(error) : error;
        }
        // Aborted while it waits: the loop's first line throws the reason.
        await delay(wait, undefined, { signal }).catch(() => undefined);
      }
    }
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

  private async fetch(file: FileRef) {
    const { signal, storage, backend, stripMetadata } = this.context;
    let sourceError: unknown;
    const fetch = async () => {
      const viewed = await backend.view(file, signal);
      viewed.body.once('error', (error) => (sourceError = error));
      // It gets shorter, which the storage would take for a file that was cut off; undici sees to it that none is.
      return stripMetadata ? { body: stripped(viewed.body) } : viewed;
    };
    try {
      return await storage.put({ fetch, filename: file.filename, signal });
    } catch (error) {
      signal.throwIfAborted();
      if (error === sourceError) throw asBackendError(error);
      throw error;
    }
  }
}

/** So that a failure waits for whoever asks, without counting as unhandled. */
async function settled<T>(work: Promise<T>): Promise<PromiseSettledResult<T>> {
  const [result] = await Promise.allSettled([work]);
  return result;
}

/** Once all have settled. @throws what the first of them throws, in their order */
async function valuesOf<T>(all: readonly (Promise<PromiseSettledResult<T>> | undefined)[]): Promise<T[]> {
  const results = await Promise.all(all.flatMap((each) => each ?? []));
  return results.map((result) => {
    if (result.status === 'rejected') throw result.reason;
    return result.value;
  });
}

function placeOf(output: RunOutput): OutputPlace {
  if (output.form !== 'file') return 'memory';
  return output.file.type === 'temp' || output.file.type === 'input' ? output.file.type : 'output';
}

function nameOf(output: RunOutput): string {
  if (output.form === 'file') return output.file.filename;
  return output.form === 'text' ? 'text.txt' : `image.${output.mime === 'image/jpeg' ? 'jpg' : 'png'}`;
}

/** No stored file is empty: the file of an empty text holds the end of a line. */
function bytesOf(text: string): Buffer {
  return Buffer.from(text === '' ? '\n' : text);
}

/** Is it more than shown, or said? A picture that came over the socket counts as saved. */
function isSaved(output: RunOutput): boolean {
  const place = placeOf(output);
  return output.form !== 'text' && (place === 'output' || place === 'memory');
}

function placesOf(outputs: readonly RunOutput[]): Map<string, OutputPlace[]> {
  const places = new Map<string, OutputPlace[]>();
  for (const output of outputs) {
    places.set(output.displayNode, [...(places.get(output.displayNode) ?? []), placeOf(output)]);
  }
  return places;
}

/** It is there and answers, and will answer the same again (18). */
function isRefusal({ status }: BackendError): boolean {
  return status === 400 || status === 403 || status === 404;
}

function fetchError(error: BackendError): ComfyError {
  if (isRefusal(error) && error.status !== 404) {
    return new ComfyError(
      'no_output',
      'ComfyUI does not hand out the file that the node made. Choose another filename_prefix, without "..".',
      { cause: error },
    );
  }
  return error.status === 404
    ? new ComfyError('backend_lost', 'ComfyUI names a file that is not on its disk any more.', {
        reason: 'output_gone',
        cause: error,
      })
    : new ComfyError('backend_lost', 'The backend was lost while its files were fetched.', { cause: error });
}

function tooMuchInMemory(): ComfyError {
  return new ComfyError('backend_lost', 'Pictures came over the socket faster than they could be stored.');
}

function noOutput(node: string | undefined, blocked: string | undefined): ComfyError {
  if (blocked !== undefined) {
    const what =
      node === undefined ? 'no node made a file or a text' : `node ${node} made no file and no text`;
    return new ComfyError(
      'no_output',
      `The workflow ran, but ${what}, because a node was blocked: ${blocked}`,
    );
  }
  return new ComfyError(
    'no_output',
    node === undefined
      ? 'The workflow ran, but no node of it made a file or a text.'
      : `The workflow ran, but node ${node} made no file and no text. Name a node that saves one, such as SaveImage.`,
  );
}
