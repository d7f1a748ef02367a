import type { Readable } from 'node:stream';
import { asBackendError, type ComfyClient, keepNewest } from '../client/index.js';
import { ComfyError } from '../comfy.error.js';

/** A file that a workflow names. */
export interface InputFile {
  /** By which the workflow names it: the id of an asset, or a URL. */
  reference: string;
  /** `blake3:<hex>` of the bytes; may have to be computed first. */
  hash: () => Promise<string>;
  /** With the dot; empty where it has none. */
  extension: string;
  /** The bytes. It has to be read to its end, or destroyed. */
  open: () => Promise<{ stream: Readable; size: number }>;
}

/** Below ComfyUI's input folder, apart from what people upload themselves. */
export const INPUT_SUBFOLDER = 'comfy-sync';

/** Files remembered to be there. */
const MAX_KNOWN = 10_000;

/** Hex digits of the hash in a name: 128 bits. */
const NAME_DIGITS = 32;

/** What we have put into the input folder of one ComfyUI: each content once, under a name that tells it from every other. */
export class InputFolder {
  private readonly placed = new Map<string, Promise<string>>();

  constructor(private readonly client: Pick<ComfyClient, 'upload'>) {}

  /** Nothing is certain any more: it may be another folder. */
  forget(): void {
    this.placed.clear();
  }

  /** These may not be there any more. */
  async doubt(files: readonly InputFile[]): Promise<void> {
    for (const file of files) this.placed.delete(await nameOf(file));
  }

  /**
   * Sees to it that the files are there.
   * @returns what nodes have to say, by reference
   * @throws ComfyError `no_backend` · `invalid_workflow` (refused); and whatever reading a file throws
   */
  async place(files: readonly InputFile[], signal: AbortSignal): Promise<Map<string, string>> {
    const names = new Map<string, string>();
    for (const file of files) {
      signal.throwIfAborted();
      names.set(file.reference, await this.placeOne(file, signal));
    }
    return names;
  }

  private async placeOne(file: InputFile, signal: AbortSignal): Promise<string> {
    const name = await nameOf(file);
    for (let known = this.placed.get(name); known !== undefined; known = this.placed.get(name)) {
      // Somebody else's upload, which may be given up with their job.
      const reply = await known.catch(() => undefined);
      if (reply !== undefined) return reply;
      signal.throwIfAborted();
    }
    const upload = this.upload(file, name, signal).catch((error: unknown) => {
      if (this.placed.get(name) === upload) this.placed.delete(name);
      throw error;
    });
    this.placed.set(name, upload);
    // Forgetting one costs an upload that ComfyUI takes for the same file.
    keepNewest(this.placed, MAX_KNOWN);
    return upload;
  }

  private async upload(file: InputFile, name: string, signal: AbortSignal): Promise<string> {
    const { stream, size } = await file.open();
    let sourceError: unknown;
    stream.once('error', (error) => (sourceError = error));
    try {
      return await this.client.upload({ name, subfolder: INPUT_SUBFOLDER, size, body: stream }, signal);
    } catch (error) {
      signal.throwIfAborted();
      throw sourceError ?? uploadError(error);
    } finally {
      stream.destroy();
    }
  }
}

async function nameOf({ hash, extension }: InputFile): Promise<string> {
  return `${(await hash()).slice('blake3:'.length).slice(0, NAME_DIGITS)}${extension}`;
}

/** A 500 is how ComfyUI says that it could not write the file: because of its disk, or of the file (`disk`). */
function uploadError(error: unknown): ComfyError {
  const cause = asBackendError(error);
  if (cause.status === 400 || cause.status === 413) return fileRefusedError(cause);
  return new ComfyError('no_backend', 'The backend did not take a file that the workflow names.', {
    cause,
    ...(cause.status === 500 ? { reason: 'disk' } : {}),
  });
}

/** ComfyUI is in order, and does not take this file. */
export function fileRefusedError(cause: Error): ComfyError {
  return new ComfyError(
    'invalid_workflow',
    'ComfyUI does not take a file that the workflow names: it may be too large.',
    { cause },
  );
}
