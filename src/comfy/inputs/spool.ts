import { createWriteStream, existsSync } from 'node:fs';
import { mkdir, mkdtemp, rm, statfs, unlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { HashingStream } from '../../assets/index.js';
import { type MediaType, sniffMediaType, SNIFFED_BYTES, StorageError } from '../../storage/index.js';

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

/** Bytes of the temporary disk that are left to others. */
const RESERVE = 256 * 1024 * 1024;

/** Where fetched files lie: a folder of ours in the system's temporary one. What a kill leaves behind, that system cleans. */
export class Spool {
  private folder: Promise<string> | undefined;
  private count = 0;

  /**
   * Writes a file. Nothing of it stays where that fails.
   * @param size bytes announced
   * @param name a hint for what the bytes do not tell
   * @throws StorageError `storage_full`; what `body` throws; the signal's reason
   */
  async write(
    body: Readable,
    { size = 0, name, maxBytes }: { size: number | undefined; name: string; maxBytes: number },
    signal: AbortSignal,
  ): Promise<FetchedFile> {
    let path: string | undefined;
    try {
      const folder = await this.open(size);
      path = join(folder, String((this.count += 1)));
      const hashing = await HashingStream.create(maxBytes);
      const head = new Head();
      await pipeline(
        body,
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
      const type = await sniffMediaType(head.bytes, name);
      signal.throwIfAborted();
      return { path, size: hashing.bytes, hash: hashing.digest(), type };
    } catch (error) {
      body.destroy();
      if (path !== undefined) await unlink(path).catch(() => undefined);
      signal.throwIfAborted();
      throw asDiskError(error);
    }
  }

  /** Somebody may have cleaned up. */
  has({ path }: FetchedFile): boolean {
    return existsSync(path);
  }

  /** What stays behind goes with the folder. */
  async remove({ path }: FetchedFile): Promise<void> {
    await unlink(path).catch(() => undefined);
  }

  async close(): Promise<void> {
    const folder = await this.folder?.catch(() => undefined);
    if (folder !== undefined) await rm(folder, { recursive: true, force: true });
  }

  /** For this user only; made again where somebody has removed it. */
  private async open(bytes: number): Promise<string> {
    this.folder ??= mkdtemp(join(tmpdir(), 'comfy-sync-inputs-'));
    try {
      const folder = await this.folder;
      await mkdir(folder, { recursive: true, mode: 0o700 });
      const { bavail, bsize } = await statfs(folder);
      if (bavail * bsize < bytes + RESERVE) throw diskFull();
      return folder;
    } catch (error) {
      if (!(error instanceof StorageError)) this.folder = undefined;
      throw error;
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

function diskFull(): StorageError {
  return new StorageError('storage_full', 'full', 'The disk for files that are fetched is full.');
}

function asDiskError(error: unknown): unknown {
  const { code } = (error ?? {}) as NodeJS.ErrnoException;
  return code === 'ENOSPC' || code === 'EDQUOT' ? diskFull() : error;
}
