import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { type FileHandle, open, unlink } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { CachedCheck } from '../cached-check.js';
import { etagOf, isKey, kindOfKey, makeKey } from '../naming/file-key.js';
import { contentTypeOf, type MediaType, sniffMediaType } from '../naming/media-type.js';
import { OUTPUT_ROUTE } from '../routes.js';
import { StorageError } from '../storage.error.js';
import {
  type FileBody,
  type FileLink,
  type FileStat,
  type FileToStore,
  type OpenFile,
  Storage,
  type StorageHealth,
  type StoredFile,
} from '../storage.port.js';
import { codeOf, diskFull, fileNotFound, fromFsError } from './fs-error.js';
import { FreeSpace } from './free-space.js';
import type { FileOps } from './file-ops.js';
import { OutputFolder } from './output-folder.js';
import { PendingFile } from './pending-file.js';
import { readBody } from './read-body.js';
import { resolveRange } from './resolve-range.js';

export interface LocalStorageOptions {
  /** Folder of the finished files; made if it is not there. */
  directory: string;
  /** Put before `/output_images/…` in links; links are relative without it. No trailing slash. */
  publicBaseUrl?: string | undefined;
  /** Bytes. */
  maxFileBytes: number;
  /** Bytes of the disk to leave free. */
  minFreeBytes: number;
}

/** Bytes written between two looks at the free space. */
const SPACE_CHECK_BYTES = 32 * 1024 * 1024;

/** Files in one flat folder, served at `/output_images/<key>`. */
export class LocalStorage extends Storage {
  readonly kind = 'local';
  readonly linksArePlain = true;
  private readonly space: FreeSpace;
  private readonly health = new CachedCheck(() => this.probe());

  private constructor(
    private readonly folder: OutputFolder,
    private readonly options: LocalStorageOptions,
  ) {
    super();
    this.space = new FreeSpace(folder.root, options.minFreeBytes);
  }

  /** @throws Error naming the folder where it cannot be used */
  static async create(options: LocalStorageOptions, ops?: FileOps): Promise<LocalStorage> {
    return new LocalStorage(await OutputFolder.prepare(options.directory, ops), options);
  }

  /**
   * Durability, step by step: the bytes go to a temporary file · the whole file gets its name, and a witness with its
   * digest in `.tmp` · the caller is answered · moments later bytes and names are flushed, and the witness goes. A crash
   * of the process loses nothing; after a power cut the next start removes those of the newest files that are not whole.
   */
  async put(file: FileToStore): Promise<StoredFile> {
    file.signal?.throwIfAborted();
    const [pending, source] = await this.prepare(file);
    try {
      const { type, size, md5 } = await this.write(source, file, pending);
      file.signal?.throwIfAborted();
      const key = await pending.publish(() => makeKey(type), md5);
      return { key, kind: type.kind, contentType: type.contentType, size, md5 };
    } catch (error) {
      await pending.discard();
      letGo(source);
      throw error;
    }
  }

  async stat(key: string): Promise<FileStat> {
    const { handle, stat } = await this.openFile(key);
    await handle.close();
    return stat;
  }

  async open(key: string, range?: { start: number; end?: number }): Promise<OpenFile> {
    const { handle, stat } = await this.openFile(key);
    try {
      const part = range && resolveRange(range, stat.size);
      const stream = handle.createReadStream({ ...part, highWaterMark: 256 * 1024 });
      return { ...stat, stream, ...(part ? { range: part } : {}) };
    } catch (error) {
      await handle.close();
      throw error;
    }
  }

  link({ key }: Pick<StoredFile, 'key'>): Promise<FileLink> {
    return Promise.resolve({
      url: `${this.options.publicBaseUrl ?? ''}${OUTPUT_ROUTE}/${key}`,
      expiresAt: null,
    });
  }

  async discard(key: string): Promise<void> {
    if (isKey(key)) await unlink(this.folder.pathOf(key)).catch(() => undefined);
  }

  check(): Promise<StorageHealth> {
    return this.health.get();
  }

  /** Where a file's bytes are, for adapters that send them on. */
  pathOf(key: string): string {
    return this.folder.pathOf(key);
  }

  async onApplicationShutdown(): Promise<void> {
    await this.folder.close();
  }

  /** A place to write to and the bytes to write, each made ready while the other is; both or neither. */
  private async prepare(file: FileToStore): Promise<[PendingFile, FileBody]> {
    const fetching = 'fetch' in file ? file.fetch() : Promise.resolve(file);
    const [pending, source] = await Promise.allSettled([PendingFile.create(this.folder), fetching]);
    if (pending.status === 'fulfilled' && source.status === 'fulfilled') return [pending.value, source.value];
    if (pending.status === 'fulfilled') await pending.value.discard();
    if (source.status === 'fulfilled') letGo(source.value);
    file.signal?.throwIfAborted();
    throw source.status === 'rejected' ? source.reason : (pending as PromiseRejectedResult).reason;
  }

  private async write(
    source: FileBody,
    { filename, mayBeEmpty = false, signal }: FileToStore,
    pending: PendingFile,
  ) {
    const announced = source.size;
    if (announced !== undefined && announced > this.options.maxFileBytes) throw this.tooLarge();
    await this.space.ensure(announced ?? 0);
    const hash = createHash('md5');
    let type: Promise<MediaType> | undefined;
    let size = 0;
    let checkSpaceAt = SPACE_CHECK_BYTES;
    for await (const bytes of readBody(source.body, signal)) {
      size += bytes.length;
      if (size > this.options.maxFileBytes) throw this.tooLarge();
      if (announced !== undefined && size > announced) throw wrongSize(announced, size);
      if (size > checkSpaceAt) {
        checkSpaceAt += SPACE_CHECK_BYTES;
        await this.space.ensure(0);
      }
      const writing = pending.write(bytes);
      // Both happen while the disk is busy.
      type ??= sniffMediaType(bytes, filename);
      hash.update(bytes);
      await writing;
    }
    if (announced !== undefined && size !== announced) throw wrongSize(announced, size);
    if (type === undefined && !mayBeEmpty)
      throw new StorageError('storage_error', 'empty', 'The file is empty.');
    type ??= sniffMediaType(new Uint8Array(), filename);
    return { type: await type, size, md5: hash.digest('hex') };
  }

  private async openFile(key: string): Promise<{ handle: FileHandle; stat: FileStat }> {
    if (!isKey(key)) throw fileNotFound();
    let handle: FileHandle | undefined;
    try {
      // The key has no slash and the root no link, so with this flag the file is in the folder for certain.
      handle = await open(
        this.folder.pathOf(key),
        constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK,
      );
      const found = await handle.stat();
      if (!found.isFile()) throw fileNotFound();
      const { size, mtime: lastModified } = found;
      const stat = {
        key,
        kind: kindOfKey(key),
        size,
        contentType: contentTypeOf(key),
        etag: etagOf(key, size),
        lastModified,
      };
      return { handle, stat };
    } catch (error) {
      await handle?.close();
      throw ['ENOENT', 'ELOOP', 'ENOTDIR', 'ENXIO'].includes(codeOf(error))
        ? fileNotFound()
        : fromFsError(error);
    }
  }

  private tooLarge(): StorageError {
    const mebibytes = Math.floor(this.options.maxFileBytes / 1024 / 1024);
    return new StorageError(
      'storage_error',
      'too_large',
      `The file is larger than ${mebibytes} MiB (MAX_OUTPUT_MB).`,
    );
  }

  private async probe(): Promise<StorageHealth> {
    try {
      if (await this.space.isLow()) throw diskFull();
      await this.folder.probe();
      return { ok: true };
    } catch (error) {
      return { ok: false, detail: fromFsError(error).message };
    }
  }
}

function wrongSize(announced: number, counted: number): StorageError {
  return new StorageError(
    'storage_error',
    'integrity',
    'The file does not have the length that was announced.',
    true,
    { announced, counted },
  );
}

/** Nobody will read it any more. */
function letGo({ body }: FileBody): void {
  if (body instanceof Readable) body.destroy();
}
