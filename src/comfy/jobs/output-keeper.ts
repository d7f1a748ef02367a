import { setTimeout as delay } from 'node:timers/promises';
import pLimit from 'p-limit';
import type { Assets } from '../../assets/index.js';
import type { Images } from '../../images/index.js';
import { StateError } from '../../state/index.js';
import type { StoredFile } from '../../storage/index.js';
import type { RunOutput } from '../client/index.js';
import { ComfyError } from '../comfy.error.js';
import { convertOutput, expectImages, notInTime } from './converter.js';
import type { JobWarning } from './job-warning.js';
import type { JobOutput, JobRequest } from './job.types.js';
import { type FetcherContext, MAX_PAUSE_MS, OutputFetcher } from './output-fetcher.js';
import { inOrder } from './output-order.js';
import { chosenOf, isSaved, nameOf, placeOf } from './output-place.js';
import { OutputTrouble } from './output-trouble.js';
import { outputTypeOf } from './output-type.js';
import type { PictureMemory } from './picture-memory.js';

/** Files of one job on their way from the backend into storage at the same time. */
const FILES_AT_ONCE = 4;

/** Characters up to which a text is also told in place, and of all such texts of a job together: the rest is in the files. */
export const MAX_INLINE_TEXT = 10_000;
const MAX_INLINE_TEXTS = 100_000;

/** What a keeper works for, and with. */
export interface KeeperContext extends FetcherContext {
  job: string;
  request: JobRequest;
  assets: OutputRecords;
  images: Pick<Images, 'convert'>;
  memory: PictureMemory;
  /** A file is safe. */
  kept: (output: JobOutput) => void;
  /** A file cannot be had, and others can. */
  warn: (warning: JobWarning) => void;
}

/** An output that came, with its place among the others. Not the output itself: that may hold a picture. */
type Taken = Pick<RunOutput, 'node' | 'displayNode' | 'form'> & {
  /** As it was made, once that is stored; undefined where it cannot be had. */
  original?: Promise<PromiseSettledResult<JobOutput | undefined>>;
  /** As it is wanted. */
  kept?: Promise<PromiseSettledResult<JobOutput | undefined>>;
  /** Why it cannot be had. */
  trouble?: OutputTrouble;
};

/** What is known of a file beside its bytes. */
type About = Pick<JobOutput, 'node' | 'place' | 'name'> & {
  typeOf: (stored: StoredFile) => JobOutput['type'];
};

/** Where files that jobs made are on record. */
export type OutputRecords = Pick<Assets, 'register' | 'remove'>;

/**
 * Brings a job's files into storage. Where it is certain that a file is wanted and the job's own, it sets out as soon as it is announced,
 * while the backend is still busy with the rest.
 */
export class OutputKeeper {
  /** What waits for a decision. */
  private readonly announced = new Map<RunOutput, Taken>();
  /** What is wanted for certain, and has to be shown to be the job's own once the prompt has ended. */
  private readonly unproven = new Map<RunOutput, Taken>();
  private readonly fetcher: OutputFetcher;
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

  constructor(private readonly context: KeeperContext) {
    this.fetcher = new OutputFetcher(context);
  }

  /** Did the node that is asked for make anything? False where none is named. */
  get hasWanted(): boolean {
    return this.context.request.outputNode !== undefined && this.taken.length > 0;
  }

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
      if (this.fetcher.isOwn(output)) this.start(output, taken);
      else this.unproven.set(output, taken);
    }
  }

  /** A node was blocked with this message. */
  noteBlocked(message: string): void {
    this.blocked ??= message;
  }

  /**
   * Resolves when all that is wanted is safe, as it was made. Once the run is over.
   * @throws ComfyError `no_output` · `output_rejected` · `backend_lost`; StorageError
   */
  async originals(): Promise<void> {
    const { request, warn } = this.context;
    this.decide();
    if (this.wanted.length === 0 && !request.allOutputs) throw noOutput(request.outputNode, this.blocked);
    const had = await valuesOf(this.wanted.map(({ original }) => original));
    const troubles = this.wanted.flatMap(({ displayNode, trouble }) =>
      trouble === undefined ? [] : [{ displayNode, trouble }],
    );
    const [first] = troubles;
    if (first !== undefined && had.every((output) => output === undefined))
      throw first.trouble.toError(first.displayNode);
    for (const { displayNode, trouble } of troubles) warn(trouble.warning(displayNode));
  }

  /**
   * After `originals`: all that is wanted, as it is wanted, in the order of the nodes in the workflow; of each node its files first
   * and then its texts, as it listed them.
   * @throws ComfyError `conversion_failed`; StorageError
   */
  async finish(): Promise<JobOutput[]> {
    const { convert } = this.context.request;
    const outputs = present(await valuesOf(this.wanted.map(({ kept }) => kept)));
    if (convert !== undefined) expectImages(outputs, convert);
    return outputs;
  }

  /** All that can be had of a prompt that failed, as it was made, in the order of `finish`. Never rejects. */
  async salvage(): Promise<JobOutput[]> {
    this.decide();
    const results = await Promise.all(this.wanted.flatMap(({ original }) => original ?? []));
    return present(results.map((result) => (result.status === 'fulfilled' ? result.value : undefined)));
  }

  /** What is not converted yet will not be. */
  async giveUpConverting(): Promise<void> {
    const { convert } = this.context.request;
    if (convert === undefined) return;
    const [first] = present(await valuesOf(this.wanted.map(({ original }) => original)));
    this.converting.abort(notInTime(convert, first));
  }

  /** Takes back what was stored, once it is: no reply will ever name it. Never rejects. @param except ids that replies do name */
  async discard(except: ReadonlySet<string> = new Set()): Promise<void> {
    await Promise.all(this.taken.flatMap(({ kept }) => kept ?? []));
    const unnamed = this.made.filter((id) => !except.has(id));
    await Promise.allSettled(unnamed.map((id) => this.context.assets.remove(id)));
  }

  /** What has not been decided about is not wanted. */
  letGo(): void {
    for (const output of this.announced.keys()) this.release(output);
    this.announced.clear();
  }

  /** The run is over: what is wanted sets out. */
  private decide(): void {
    const { request } = this.context;
    for (const [output, taken] of this.unproven) this.start(output, taken);
    this.unproven.clear();
    const chosen = chosenOf(request, [...this.announced.keys()], this.saved);
    for (const [output, taken] of this.announced) if (chosen.includes(output)) this.start(output, taken);
    this.letGo();
    this.wanted = inOrder(this.taken, Object.keys(request.workflow)).filter(({ kept }) => kept !== undefined);
  }

  private start(output: RunOutput, taken: Taken): void {
    this.announced.delete(output);
    const said = saidBy(output);
    const text = said === undefined ? undefined : this.inline(said);
    // Converting holds up neither the files that are still on the backend, nor the memory of a picture.
    const storing = this.limit(() => this.keep(output, taken, text)).finally(() => this.release(output));
    taken.original = settled(storing);
    taken.kept = settled(storing.then((original) => original && this.deliver(original)));
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

  private async keep(
    output: RunOutput,
    taken: Taken,
    text: string | undefined,
  ): Promise<JobOutput | undefined> {
    const { displayNode: node, kind, form } = output;
    try {
      const typeOf = (stored: StoredFile) => (form === 'text' ? 'text' : outputTypeOf(stored, kind));
      const about = { node, place: placeOf(output), name: nameOf(output), typeOf };
      const original = await this.store(about, () => this.fetcher.bring(output));
      return form !== 'text' || text === undefined ? original : { ...original, text };
    } catch (error) {
      if (!(error instanceof OutputTrouble)) throw error;
      // The string named no file of this job: it is a text.
      const said = saidBy(output);
      if (form === 'file' && said !== undefined)
        return this.keep(
          { node: output.node, displayNode: node, kind, form: 'text', text: said },
          taken,
          text,
        );
      taken.trouble = error;
      return undefined;
    }
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
              caller: request.caller,
              signal: AbortSignal.any([this.context.signal, this.converting.signal]),
              store: (file, name) =>
                this.store({ ...original, name, typeOf: outputTypeOf }, () =>
                  this.fetcher.persist(() => storage.put(file)),
                ),
            },
          );
    kept(output);
    return output;
  }

  /** Stores a file, and puts it on record. */
  private async store(
    { node, place, name, typeOf }: About,
    persist: () => Promise<StoredFile>,
  ): Promise<JobOutput> {
    const { job, storage, assets } = this.context;
    const stored = await persist();
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
}

/** The text of an output, or what a string was where it turns out to name no file. */
function saidBy(output: RunOutput): string | undefined {
  if (output.form === 'text') return output.text;
  return output.form === 'file' ? output.orText : undefined;
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

function present<T>(all: readonly (T | undefined)[]): T[] {
  return all.flatMap((each) => each ?? []);
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
