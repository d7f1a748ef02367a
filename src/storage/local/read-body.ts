import type { FileBody } from '../storage.port.js';

/** Bytes that are hashed and written at a time: few system calls, and a small file needs one. */
export const BATCH_BYTES = 256 * 1024;

/**
 * The body in batches of about `BATCH_BYTES`. Reads ahead no further than one batch, so a slow disk slows the source
 * down. Leaving early destroys the source, and so does aborting the signal.
 * @throws whatever the source throws, unchanged; the signal's reason
 */
export async function* readBody(body: FileBody['body'], signal?: AbortSignal): AsyncGenerator<Uint8Array> {
  signal?.throwIfAborted();
  if (body instanceof Uint8Array) {
    for (let at = 0; at < body.length; at += BATCH_BYTES) {
      signal?.throwIfAborted();
      yield body.subarray(at, at + BATCH_BYTES);
    }
    return;
  }
  // The source may be waiting for bytes that never come; destroying it ends the wait.
  const stop = () => body.destroy(new Error('aborted'));
  signal?.addEventListener('abort', stop, { once: true });
  try {
    let batch: Uint8Array[] = [];
    let length = 0;
    for await (const chunk of body as AsyncIterable<Uint8Array | string>) {
      const bytes = typeof chunk === 'string' ? Buffer.from(chunk) : chunk;
      batch.push(bytes);
      length += bytes.length;
      if (length < BATCH_BYTES) continue;
      yield joined(batch, length);
      batch = [];
      length = 0;
    }
    if (length > 0) yield joined(batch, length);
  } catch (error) {
    signal?.throwIfAborted();
    throw error;
  } finally {
    signal?.removeEventListener('abort', stop);
  }
}

function joined(batch: Uint8Array[], length: number): Uint8Array {
  return batch.length === 1 && batch[0] !== undefined ? batch[0] : Buffer.concat(batch, length);
}
