import type { Readable } from 'node:stream';

/** What a file is to a person; decides the prefix of its name (`image_…`, `video_…`). */
export type FileKind = 'image' | 'video' | 'audio' | 'file';

/** The bytes of a file, and what is known of them. */
export interface FileBody {
  /** Read once, from start to end. An error of this stream passes through `put` unchanged. */
  body: Readable | Uint8Array;
  /** Length its producer announced, in bytes. Fewer or more bytes than that is `storage_error` (reason `integrity`). */
  size?: number | undefined;
}

/**
 * A file on its way into storage: its bytes, or `fetch` to get them. That is called while the storage makes ready, so
 * that neither waits for the other; what it throws passes through `put` unchanged.
 */
export type FileToStore = (FileBody | { fetch: () => Promise<FileBody> }) & {
  /** Name its producer gave it. Only a hint: used for the extension where the bytes tell no type. */
  filename?: string;
  /** Where the file cannot be taken everywhere it has to be: does what has been taken stay? @default true, since renderings are dear */
  keepsLocal?: boolean;
  /** Is a file without bytes a file? Otherwise it is `storage_error` (reason `empty`). @default false */
  mayBeEmpty?: boolean;
  /** Aborting it stops the write, removes what was written and rejects with the signal's reason. */
  signal?: AbortSignal;
};

/** A file that is safe: on disk, and in the bucket where there is one. */
export interface StoredFile {
  /** Unique name in this storage, e.g. `image_1795460610911_0a1b2c3d4e5f.png`. */
  key: string;
  kind: FileKind;
  /** Media type read from the bytes, `application/octet-stream` where they tell none. */
  contentType: string;
  /** Length in bytes. */
  size: number;
  /** Lower-case hex MD5 of the bytes. */
  md5: string;
}

/** A URL under which a stored file can be fetched without further credentials. */
export interface FileLink {
  /** Absolute, or relative to this server where no `SERVER_BASE_URL` is set. */
  url: string;
  /** When the URL stops working; `null` where it does not expire. */
  expiresAt: Date | null;
}

/** What a reply needs for its headers. */
export interface FileStat {
  key: string;
  kind: FileKind;
  /** Length of the whole file in bytes, whatever range was asked for. */
  size: number;
  contentType: string;
  /** Strong entity tag, quoted. */
  etag: string;
  lastModified: Date;
}

/** An opened file: what is known of it, and the bytes. */
export interface OpenFile extends FileStat {
  stream: Readable;
  /** The part that `stream` yields, both ends inclusive; absent for the whole file. */
  range?: ByteRange;
}

/** Byte positions, both inclusive (RFC 9110, 14.1.2). */
export interface ByteRange {
  start: number;
  end: number;
}

export interface StorageHealth {
  ok: boolean;
  /** One line for people, free of paths, keys and upstream bodies. */
  detail?: string;
}

/**
 * Where finished files live. One adapter is chosen at boot; faces and the engine know only this port,
 * which is also its injection token.
 */
export abstract class Storage {
  abstract readonly kind: 'local' | 'oss';

  /** Does everybody who knows a key get the file, at `/output_images/<key>`? Else links are signed, and nothing else leads to it. */
  abstract readonly linksArePlain: boolean;

  /**
   * Keeps a file under a fresh key, all or nothing; resolves only when it is durable everywhere it has to be.
   * @throws StorageError `storage_full` · `storage_error`
   */
  abstract put(file: FileToStore): Promise<StoredFile>;

  /**
   * Looks at the local copy, which every adapter has.
   * @throws StorageError `file_not_found`, also for keys that could not have come from `put`
   */
  abstract stat(key: string): Promise<FileStat>;

  /**
   * Opens the local copy. The stream has to be read to its end or destroyed.
   * @throws StorageError `file_not_found` as `stat` does; RangeError for a range that holds no byte of the file
   */
  abstract open(key: string, range?: { start: number; end?: number }): Promise<OpenFile>;

  /** The link to hand to callers. Pure computation but for the adapter's first call; does not check that the key exists. */
  abstract link(file: Pick<StoredFile, 'key'>): Promise<FileLink>;

  /** Takes back a file that nobody was told of, wherever it is. Never throws: what stays behind harms nobody. */
  abstract discard(key: string): Promise<void>;

  /** Can files be stored now? Never throws; answers within 5 s. */
  abstract check(): Promise<StorageHealth>;
}
