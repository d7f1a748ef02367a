import { randomUUID } from 'node:crypto';
import { pipeline, type Readable } from 'node:stream';
import { Inject, Injectable } from '@nestjs/common';
import pLimit from 'p-limit';
import { StateDatabase } from '../state/index.js';
import {
  type ByteRange,
  type FileStat,
  openFile,
  type OpenFile,
  statFile,
  Storage,
  StorageError,
  type StoredFile,
} from '../storage/index.js';
import { AssetRecords } from './asset-records.js';
import { type Asset, AssetError, type NewAsset } from './asset.types.js';
import { ASSETS_OPTIONS, type AssetsOptions } from './assets.module-definition.js';
import { HashingStream, hashOfStream } from './blake3.js';

/** A file that is in storage, and not an asset yet: see `adopt` and `dismiss`. */
export interface ReceivedFile {
  file: StoredFile;
  /** `blake3:<hex>` of the bytes. */
  hash: string;
}

export interface NewAssetDetails {
  /** Name that its owner gave it. */
  path: string | null;
  /** What the bytes have to hash to, `blake3:<hex>`. */
  expectedHash?: string | undefined;
  /** Seconds to keep it, in place of the usual time. */
  expiresInS?: number | undefined;
}

const GIB = 1024 ** 3;

/** Uploads remembered where they are remembered in memory. */
const KEPT_IN_MEMORY = 10_000;

/** Assets removed in one go. */
const BATCH = 32;

/** Files removed at the same time. */
const REMOVED_AT_ONCE = 8;

/**
 * Stored files with an owner. A file is there as long as an asset names it; equal bytes that are uploaded share one.
 */
@Injectable()
export class Assets {
  private readonly records: AssetRecords;
  /** Files whose hash is being computed. */
  private readonly hashing = new Map<string, Promise<string>>();
  private readonly limit = pLimit(REMOVED_AT_ONCE);

  constructor(
    private readonly storage: Storage,
    private readonly database: StateDatabase,
    @Inject(ASSETS_OPTIONS) private readonly options: AssetsOptions,
  ) {
    this.records = new AssetRecords(database);
  }

  /** A file that a job made, and that is in storage. @throws StateError */
  register(file: StoredFile, { job, path }: { job: string; path: string | null }): Asset {
    const asset = this.describe(file, { hash: null, path, job, expiresInS: undefined });
    this.records.insert(asset);
    return asset;
  }

  /** @param id in any case @param expired also one that has expired, and is there still @throws StateError */
  find(id: string, { expired = false }: { expired?: boolean } = {}): Asset | undefined {
    const asset = this.records.find(id.toLowerCase());
    const gone = asset?.expiresAt !== null && asset !== undefined && asset.expiresAt <= Date.now();
    return gone && !expired ? undefined : asset;
  }

  /** An asset whose bytes are in this file, the longest-lived; undefined where none is left. @throws StateError */
  findByFile(file: string): Asset | undefined {
    return this.records.withFile(file, Date.now());
  }

  /** Hashes of what a job made, by asset, where they are known. @throws StateError */
  hashesOf(job: string): ReadonlyMap<string, string> {
    return new Map(this.records.hashesOfJob(job).map(({ id, hash }) => [id, hash]));
  }

  /**
   * Takes the bytes of an upload in; nothing of them stays where that fails. What was received has to be adopted or dismissed.
   * @param path name that its owner gave it
   * @throws AssetError `payload_too_large`; StorageError; the error of `body`; the signal's reason
   */
  async receive(body: Readable, path: string, signal?: AbortSignal): Promise<ReceivedFile> {
    const hashing = await HashingStream.create(this.options.maxUploadBytes ?? GIB);
    // An error of either side ends both, and comes out of `put`.
    pipeline(body, hashing, () => undefined);
    const file = await this.storage.put({
      body: hashing,
      filename: path,
      // Nothing was paid for it: it can be sent again.
      keepsLocal: false,
      ...(signal === undefined ? {} : { signal }),
    });
    return { file, hash: hashing.digest() };
  }

  /**
   * Makes an asset of what was received. Bytes that are here already are not kept twice; what cannot be adopted is dismissed.
   * @throws AssetError `hash_mismatch`; StateError
   */
  async adopt({ file, hash }: ReceivedFile, details: NewAssetDetails): Promise<NewAsset> {
    const { path, expectedHash, expiresInS } = details;
    try {
      if (expectedHash !== undefined && expectedHash !== hash) {
        throw new AssetError(
          'hash_mismatch',
          'The bytes that arrived do not have the hash in expected_hash. Nothing was kept; send them again.',
        );
      }
      const known = await this.available(hash);
      // From here to the record nothing else happens: a file that is found cannot be removed in between.
      const kept = known !== undefined && this.records.isNamed(known.file) ? known : undefined;
      const of = kept === undefined ? file : fileOf(kept);
      const asset = this.describe(of, { hash, path, job: null, expiresInS });
      this.records.insert(asset);
      if (kept !== undefined) await this.storage.discard(file.key);
      return { asset, createdNew: kept === undefined };
    } catch (error) {
      await this.dismiss({ file });
      throw error;
    }
  }

  /** Nobody wants what was received. Never throws. */
  dismiss({ file }: Pick<ReceivedFile, 'file'>): Promise<void> {
    return this.storage.discard(file.key);
  }

  /**
   * An asset of bytes that are here already. One that is the same in all is given once more, and kept longer if so wanted.
   * @throws AssetError `blob_not_found`; StateError
   */
  async fromHash(hash: string, path: string | null, expiresInS?: number): Promise<NewAsset> {
    const known = await this.available(hash);
    if (known === undefined || !this.records.isNamed(known.file)) {
      throw new AssetError(
        'blob_not_found',
        'No file with this hash is known here. Upload it with POST /api/v2/assets.',
      );
    }
    const asset = this.describe(fileOf(known), { hash, path, job: null, expiresInS });
    const twin = this.records.twin(hash, path, Date.now());
    if (twin === undefined) {
      this.records.insert(asset);
      return { asset, createdNew: true };
    }
    const expiresAt = later(twin.expiresAt, asset.expiresAt);
    this.records.prolong(twin.id, expiresAt);
    return { asset: { ...twin, expiresAt }, createdNew: false };
  }

  /** Are these bytes here? @throws StateError */
  async hasHash(hash: string): Promise<boolean> {
    return (await this.available(hash)) !== undefined;
  }

  /** The hash of an asset, which is computed where nobody has asked yet. @throws StorageError; StateError */
  async hashOf({ hash, file }: Asset): Promise<string> {
    if (hash !== null) return hash;
    const running = this.hashing.get(file) ?? this.computeHash(file);
    this.hashing.set(file, running);
    try {
      return await running;
    } finally {
      this.hashing.delete(file);
    }
  }

  /** What a reply needs for its headers. @throws StorageError `file_not_found` */
  stat({ file }: Pick<Asset, 'file'>): Promise<FileStat> {
    return statFile(this.storage, file);
  }

  /** The bytes: the local copy, or where that is gone the bucket's. @throws StorageError `file_not_found` */
  open({ file }: Pick<Asset, 'file'>, range?: ByteRange): Promise<OpenFile> {
    return openFile(this.storage, file, range);
  }

  /** Removes an asset, and its file where no other names it. @returns false: there was none @throws StateError */
  async remove(id: string): Promise<boolean> {
    const removed = this.records.remove(id);
    if (removed?.orphaned) await this.storage.discard(removed.file);
    return removed !== undefined;
  }

  /** What a job made so far: as `remove`. What it makes from now on stays. @throws StateError */
  async removeOfJob(job: string): Promise<void> {
    const assets = this.records.ofJob(job);
    await Promise.all(assets.map(({ id }) => this.remove(id)));
  }

  /** Forgets what a job made; the files stay. @throws StateError */
  forgetOfJob(job: string): void {
    this.records.forgetJob(job);
  }

  /**
   * Removes what has expired and, in memory, uploads that are too many.
   * @param needed what has to stay for a while, because somebody works with it
   * @returns how many
   * @throws StateError
   */
  async sweep(now: number, needed: (id: string) => boolean, signal?: AbortSignal): Promise<number> {
    let count = 0;
    let kept = 0;
    for (;;) {
      if (signal?.aborted) return count;
      const old = this.records.expired(now, BATCH, kept);
      const many = this.database.durable ? [] : this.records.uploadsBeyond(KEPT_IN_MEMORY + kept, BATCH);
      const removable = [...old, ...many].filter(({ id }) => !needed(id));
      await Promise.all(removable.map(({ id }) => this.limit(() => this.remove(id))));
      count += removable.length;
      kept += old.length + many.length - removable.length;
      if (old.length < BATCH && many.length < BATCH) return count;
    }
  }

  private describe(
    { key, kind, contentType, size, md5 }: StoredFile,
    {
      hash,
      path,
      job,
      expiresInS,
    }: Pick<Asset, 'hash' | 'path' | 'job'> & { expiresInS: number | undefined },
  ): Asset {
    const createdAt = Date.now();
    // In memory, files of jobs outlive what is known of them: they are the caller's.
    const kept = job !== null && !this.database.durable ? undefined : this.options.retentionMs;
    const keepMs = expiresInS === undefined ? kept : expiresInS * 1_000;
    const expiresAt = keepMs === undefined ? null : createdAt + keepMs;
    return {
      id: randomUUID(),
      file: key,
      hash,
      kind,
      contentType,
      size,
      md5,
      path,
      job,
      createdAt,
      expiresAt,
    };
  }

  /** An asset with these bytes, if they can be had: somebody may have emptied the folder, or not mounted it. */
  private async available(hash: string): Promise<Asset | undefined> {
    // In memory a job is forgotten before its files: a file that an upload shared would go with the upload.
    for (const asset of this.records.withHash(hash, Date.now(), !this.database.durable)) {
      try {
        await this.stat(asset);
        return asset;
      } catch (error) {
        if (!(error instanceof StorageError) || error.code !== 'file_not_found') throw error;
      }
    }
    return undefined;
  }

  private async computeHash(file: string): Promise<string> {
    const { stream } = await this.open({ file });
    const hash = await hashOfStream(stream);
    this.records.setHash(file, hash);
    return hash;
  }
}

function fileOf({ file, kind, contentType, size, md5 }: Asset): StoredFile {
  return { key: file, kind, contentType, size, md5 };
}

function later(a: number | null, b: number | null): number | null {
  return a === null || b === null ? null : Math.max(a, b);
}
