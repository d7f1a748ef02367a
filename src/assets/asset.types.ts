import type { FileKind } from '../storage/index.js';

/** What is known of a stored file that has an owner: who uploaded it, or the job that made it. Several may share one file. */
export interface Asset {
  /** UUID. */
  id: string;
  /** Key of the file in storage. */
  file: string;
  /** `blake3:<64 hex digits>`; null until somebody asked for it. */
  hash: string | null;
  kind: FileKind;
  /** Media type read from the bytes. */
  contentType: string;
  /** Bytes. */
  size: number;
  /** Lower-case hex. */
  md5: string;
  /** Name that its owner gave it; a label, nothing more. */
  path: string | null;
  /** The job that made it. */
  job: string | null;
  /** Milliseconds since the epoch. */
  createdAt: number;
  /** Milliseconds since the epoch; null: kept for ever. */
  expiresAt: number | null;
}

export interface NewAsset {
  asset: Asset;
  /** False: the bytes were here already. */
  createdNew: boolean;
}

/** Why an asset could not be made. */
export class AssetError extends Error {
  override readonly name = 'AssetError';

  constructor(
    readonly code: 'hash_mismatch' | 'blob_not_found' | 'payload_too_large',
    /** For the caller. */
    message: string,
  ) {
    super(message);
  }
}
