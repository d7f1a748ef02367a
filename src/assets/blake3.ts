import { Transform, type Readable } from 'node:stream';
import { createBLAKE3 } from 'hash-wasm';
import { AssetError } from './asset.types.js';

export const HASH_PATTERN = /^blake3:[0-9a-f]{64}$/;

/** Passes bytes on and hashes them on the way; ends in AssetError `payload_too_large` where too many come. */
export class HashingStream extends Transform {
  private size = 0;

  private constructor(
    private readonly hasher: Awaited<ReturnType<typeof createBLAKE3>>,
    private readonly maxBytes: number,
  ) {
    super();
  }

  static async create(maxBytes: number): Promise<HashingStream> {
    const hasher = await createBLAKE3();
    hasher.init();
    return new HashingStream(hasher, maxBytes);
  }

  /** How many have passed. */
  get bytes(): number {
    return this.size;
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
    this.size += chunk.length;
    if (this.size > this.maxBytes) return done(tooLarge(this.maxBytes));
    this.hasher.update(chunk);
    done(null, chunk);
  }
}

function tooLarge(maxBytes: number): AssetError {
  return new AssetError(
    'payload_too_large',
    `The file is larger than ${Math.floor(maxBytes / 1024 / 1024)} MiB (MAX_UPLOAD_MB).`,
  );
}

/** `blake3:<hex>` of a stream, which is read to its end. */
export async function hashOfStream(stream: Readable): Promise<string> {
  const hasher = await createBLAKE3();
  hasher.init();
  for await (const chunk of stream as AsyncIterable<Buffer>) hasher.update(chunk);
  return `blake3:${hasher.digest()}`;
}
