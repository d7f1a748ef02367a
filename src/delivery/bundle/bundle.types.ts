import type { Readable } from 'node:stream';

export type BundleFormat = 'zip' | 'multipart';

/** Several stored files as one answer, under way. */
export interface Bundle {
  /** Fails where a file does: whoever sends it must break off then. Destroying it closes what is open. */
  stream: Readable;
  /** Bytes. */
  size: number;
  contentType: string;
}

/** A file of a bundle. */
export interface BundledFile {
  key: string;
  name: string;
  /** Bytes. */
  size: number;
  contentType: string;
}
