import { Transform, type Readable } from 'node:stream';
import { createBLAKE3 } from 'hash-wasm';

/** Bytes hashed in one go, between which others get their turn. */
const SLICE = 64 * 1024;

export const HASH_PATTERN = /^blake3:[0-9a-f]{64}$/;

/** Passes bytes on and hashes them on the way. */
export class HashingStream extends Transform {
  private constructor(private readonly hasher: Awaited<ReturnType<typeof createBLAKE3>>) {
    super();
  }

  static async create(): Promise<HashingStream> {
    const hasher = await createBLAKE3();
    hasher.init();
    return new HashingStream(hasher);
  }

  /** `blake3:<hex>` of what has passed; once, at the end. */
  digest(): string {
    return `blake3:${this.hasher.digest()}`;
  }

  override _transform(
    chunk: Buffer,
    _encoding: BufferEncoding,
    done: (error?: Error | null, data?: Buffer) => void,
  ) {
    for (let at = 0; at < chunk.length; at += SLICE) this.hasher.update(chunk.subarray(at, at + SLICE));
    done(null, chunk);
  }
}

/** `blake3:<hex>` of a stream, which is read to its end. */
export async function hashOfStream(stream: Readable): Promise<string> {
  const hasher = await createBLAKE3();
  hasher.init();
  for await (const chunk of stream as AsyncIterable<Buffer>) hasher.update(chunk);
  return `blake3:${hasher.digest()}`;
}
