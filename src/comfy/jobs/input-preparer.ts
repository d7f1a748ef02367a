import { createReadStream } from 'node:fs';
import { extname } from 'node:path';
import type { Asset, Assets } from '../../assets/index.js';
import { ImageError, type ImageErrorCode, type Images, type ImageSource } from '../../images/index.js';
import { FairGate } from '../../shares/index.js';
import { StorageError } from '../../storage/index.js';
import type { InputFile } from '../backends/index.js';
import { keepNewest } from '../client/index.js';
import { ComfyError, type NodeInput } from '../comfy.error.js';
import { asInputError, type FetchedFiles, invalidInput, typeMismatch } from '../inputs/index.js';
import type { MediaInput, MediaKind } from '../workflow/index.js';
import { toFailure } from './failure.js';
import type { Job } from './job.js';
import type { JobWarning } from './job-warning.js';
import { isFinal } from './job.reducer.js';
import type { JobQueue } from './job-queue.port.js';

/** Images of which it is remembered whether they are whole. */
const MAX_LOOKS = 10_000;

/** Images that wait for a worker, or have one, of whom; all others wait here, where nobody is turned away. */
const LOOKS_AT_ONCE = { total: 8, network: 6, caller: 4 };

/** What is wrong with an image, and not with us; and what of that stays so. */
const WRONG: ReadonlySet<ImageErrorCode> = new Set([
  'too_many_pixels',
  'damaged',
  'not_supported',
  'too_slow',
]);
const LASTING: ReadonlySet<ImageErrorCode> = new Set(['too_many_pixels', 'damaged', 'not_supported']);

/** Milliseconds that it may take to read an image, with the wait for a turn. */
const LOOK_MS = 120_000;

/** Sees to it that the files which a job names are here, and are what they should be, before a backend is kept waiting by them. */
export class InputPreparer {
  /** By hash or key in storage, whether an image is cut off; what cannot be taken stays so. */
  private readonly looks = new Map<string, Promise<boolean>>();
  private readonly gate = new FairGate(LOOKS_AT_ONCE);

  constructor(
    private readonly queue: JobQueue,
    private readonly fetched: Pick<FetchedFiles, 'lease'>,
    private readonly assets: Assets,
    private readonly images: Pick<Images, 'check'>,
  ) {}

  /**
   * To be called before the job is in line. One that names no files, or has them, is ready at once; any other fails, or becomes
   * ready.
   */
  prepare(job: Job): void {
    const media = job.request?.media ?? [];
    if (media.length === 0 || job.inputs !== undefined) return;
    job.hold();
    void this.work(job, media);
  }

  private async work(job: Job, media: readonly MediaInput[]): Promise<void> {
    try {
      job.admit(await this.bring(job, media));
      this.queue.admit(job);
    } catch (error) {
      // Cancelled or let go: nobody is told of it here.
      if (!job.signal.aborted) job.apply({ type: 'failed', at: Date.now(), failure: toFailure(error) });
    }
  }

  private async bring(job: Job, media: readonly MediaInput[]): Promise<InputFile[]> {
    const files = new Map<string, InputFile>();
    for (const input of media) {
      job.signal.throwIfAborted();
      const { url, asset } = input;
      if (url !== undefined) files.set(url, await this.bringUrl(job, url, input));
      else if (asset !== undefined) files.set(asset, await this.bringAsset(job, asset, input));
    }
    return [...files.values()];
  }

  private async bringUrl(job: Job, url: string, at: MediaInput): Promise<InputFile> {
    const { file, release } = await this.fetched
      .lease(url, job.caller, job.signal)
      .catch((error: unknown) => {
        throw asInputError(error, placeOf(at));
      });
    if (isFinal(job.state) || job.letGo) release();
    else job.ended$.subscribe(release);
    job.signal.throwIfAborted();
    await this.check(job, at, file.type.contentType, file.hash, file.path);
    return {
      reference: url,
      hash: () => Promise.resolve(file.hash),
      extension: `.${file.type.extension}`,
      open: () => Promise.resolve({ stream: createReadStream(file.path), size: file.size }),
    };
  }

  /** One that has expired since the job was accepted is kept for it. */
  private async bringAsset(job: Job, id: string, at: MediaInput): Promise<InputFile> {
    const asset = this.assets.find(id, { expired: true });
    if (asset === undefined) throw assetGone(at);
    const open = () => this.open(asset, at);
    await this.check(job, at, asset.contentType, asset.file, async () => (await open()).stream);
    return {
      reference: id,
      hash: () => this.assets.hashOf(asset).catch((error: unknown) => asAssetError(error, at)),
      extension: extname(asset.file),
      open,
    };
  }

  private open(asset: Asset, at: NodeInput) {
    return this.assets.open(asset).catch((error: unknown) => asAssetError(error, at));
  }

  /** @throws ComfyError `invalid_input` · `input_unavailable` */
  private async check(
    job: Job,
    at: NodeInput & { kind: MediaKind | undefined },
    contentType: string,
    content: string,
    source: ImageSource,
  ): Promise<void> {
    const { signal } = job;
    const mismatch = typeMismatch(at.kind, contentType);
    if (mismatch !== undefined) throw invalidInput(placeOf(at), mismatch);
    if (!contentType.startsWith('image/')) return;
    for (let tries = 1; ; tries += 1) {
      try {
        if (await this.look(content, source, job.caller)) job.apply({ type: 'warned', warning: cutOff(at) });
        return;
      } catch (error) {
        signal.throwIfAborted();
        if (error instanceof ImageError && WRONG.has(error.code)) {
          throw new ComfyError('invalid_input', error.message, { at: placeOf(at), cause: error });
        }
        // It may have been somebody else's file, who is gone; now it is ours that is looked at.
        if (tries > 1) throw notLookedAt(at, error);
      }
    }
  }

  /** Once for each content, whoever asks and then loses interest. @returns whether it is cut off @throws ImageError */
  private look(content: string, source: ImageSource, caller: string): Promise<boolean> {
    const known = this.looks.get(content);
    if (known !== undefined) return known;
    const looking = this.gate.run(caller, new AbortController().signal, async () => {
      const image = await this.images.check(source, AbortSignal.timeout(LOOK_MS), caller);
      return image?.truncated === true;
    });
    const look = looking.catch((error: unknown) => {
      // What was wrong with us may pass.
      if (!(error instanceof ImageError && LASTING.has(error.code))) this.looks.delete(content);
      throw error;
    });
    this.looks.set(content, look);
    keepNewest(this.looks, MAX_LOOKS);
    return look;
  }
}

function placeOf({ node, input }: NodeInput): NodeInput {
  return { node, input };
}

function cutOff({ node, input }: NodeInput): JobWarning {
  return {
    code: 'input_truncated',
    message: `The picture for ${input} of node ${node} is cut off. ComfyUI takes what is there and fills the rest.`,
    node,
  };
}

function notLookedAt(at: NodeInput, cause: unknown): ComfyError {
  return new ComfyError('input_unavailable', 'The file could not be looked into at the moment. Try again.', {
    at: placeOf(at),
    cause,
  });
}

function assetGone(at: NodeInput, cause?: unknown): ComfyError {
  return new ComfyError('missing_asset', 'The asset is not there any more. Upload it again.', {
    at: placeOf(at),
    cause,
  });
}

function asAssetError(error: unknown, at: NodeInput): never {
  throw error instanceof StorageError && error.code === 'file_not_found' ? assetGone(at, error) : error;
}
