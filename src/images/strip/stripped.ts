import { pipeline, type Readable, Transform, type TransformCallback } from 'node:stream';
import type { Piece, PieceReader } from './piece.js';
import { PngPieces } from './png-pieces.js';
import { WebpPieces } from './webp-pieces.js';

/** Enough to tell a PNG (8) from a WebP (12). */
const MAGIC = 12;

/**
 * The same bytes without what is written about the picture: the workflow that ComfyUI puts into PNG (text chunks) and WebP
 * (EXIF). The pixels are the same to the byte. Streamed; other formats pass as they are, videos among them, and so does the
 * rest of a file from where it is not what it begins like.
 * @param body read to its end or destroyed; its error is that of the result
 */
export function stripped(body: Readable): Readable {
  // An error of either side ends both.
  return pipeline(body, new StrippingStream(), () => undefined);
}

/** Memory: the head of a piece, and the chunk that came last. */
class StrippingStream extends Transform {
  /** What came and is not decided yet: less than a head, between two calls. */
  private held: Buffer = Buffer.alloc(0);
  /** Undefined: not known yet. Null: nothing is looked at. */
  private reader: PieceReader | null | undefined;
  private rest = 0;
  private fate: Piece['fate'] = 'keep';

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    this.held = this.held.length === 0 ? chunk : Buffer.concat([this.held, chunk]);
    while (this.held.length > 0 && this.advance());
    done();
  }

  override _flush(done: TransformCallback): void {
    if (this.held.length > 0) this.push(this.held);
    done();
  }

  /** @returns false: more has to come first */
  private advance(): boolean {
    if (this.rest > 0) {
      const part = this.shift(Math.min(this.rest, this.held.length));
      this.rest -= part.length;
      if (this.fate !== 'drop') this.push(this.fate === 'keep' ? part : Buffer.alloc(part.length));
      return true;
    }
    if (this.reader === undefined) {
      if (this.held.length < MAGIC) return false;
      this.reader = readerOf(this.held);
    }
    if (this.reader === null) {
      this.push(this.shift(this.held.length));
      return false;
    }
    if (this.held.length < this.reader.headLength) return false;
    const piece = this.reader.next(this.held);
    if (piece === undefined) {
      this.reader = null;
      return true;
    }
    this.shift(piece.taken);
    if (piece.head.length > 0) this.push(piece.head);
    this.rest = piece.rest;
    this.fate = piece.fate;
    return true;
  }

  private shift(length: number): Buffer {
    const part = this.held.subarray(0, length);
    this.held = this.held.subarray(length);
    return part;
  }
}

function readerOf(head: Buffer): PieceReader | null {
  if (head.toString('latin1', 0, 8) === '\x89PNG\r\n\x1a\n') return new PngPieces();
  const isWebp = head.toString('latin1', 0, 4) === 'RIFF' && head.toString('latin1', 8, 12) === 'WEBP';
  return isWebp ? new WebpPieces() : null;
}
