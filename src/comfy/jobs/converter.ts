import { ImageError, type ConvertOptions, type Images } from '../../images/index.js';
import { openFile, type FileToStore, type Storage } from '../../storage/index.js';
import { ComfyError } from '../comfy.error.js';
import type { JobOutput } from './job.types.js';

export interface ConverterContext {
  images: Pick<Images, 'convert'>;
  storage: Storage;
  signal: AbortSignal;
  /** Whose share of the image workers it takes. */
  caller: string;
  /** Stores a file beside the original, and puts it on record. */
  store: (file: FileToStore, name: string) => Promise<JobOutput>;
}

/**
 * An image that the job made, as its caller wants it; the original stays beside it. What is no image is left as it is.
 * @throws ComfyError `conversion_failed`; StorageError; StateError; the signal's reason
 */
export async function convertOutput(
  original: JobOutput,
  options: ConvertOptions,
  { images, storage, signal, caller, store }: ConverterContext,
): Promise<JobOutput> {
  if (original.kind !== 'image') return original;
  const open = async () => (await openFile(storage, original.key)).stream;
  try {
    return await images.convert(
      open,
      options,
      signal,
      async ({ size, extension, open: read }) => {
        const fetch = () => Promise.resolve({ body: read(), size });
        const name = `${original.name.replace(/\.[^.]*$/, '')}.${extension}`;
        return { ...(await store({ fetch, signal }, name)), original };
      },
      caller,
    );
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof ImageError)) throw error;
    throw new ComfyError(
      'conversion_failed',
      `The picture was made, but not converted to ${options.format}. ${error.message} ${whereItIs(original)}`,
      { cause: error.cause ?? error },
    );
  }
}

/** The converters did not get round to it. @param original one of those that were made */
export function notInTime({ format }: ConvertOptions, original: JobOutput | undefined): ComfyError {
  return new ComfyError(
    'conversion_failed',
    `The pictures were made, but not converted to ${format} in time.${original === undefined ? '' : ` ${whereItIs(original)}`}`,
  );
}

/**
 * Was there anything to convert? Whoever asks for a WebP is not to get a video without a word.
 * @throws ComfyError `conversion_failed`
 */
export function expectImages(outputs: readonly JobOutput[], { format }: ConvertOptions): void {
  const [first] = outputs;
  if (first === undefined || outputs.some(({ kind }) => kind === 'image')) return;
  throw new ComfyError(
    'conversion_failed',
    `The workflow made no image that could be converted to ${format}, but ${first.contentType}. ${whereItIs(first)} Leave out convert.`,
  );
}

/** It cost a GPU its time, so it stays; the link of a stored file is none for logs. */
function whereItIs({ id }: JobOutput): string {
  return `What was made is kept: GET /api/v2/assets/${id}/content.`;
}
