import type { Piece, PieceReader } from './piece.js';

/** SaveAnimatedWEBP writes the workflow into EXIF (comfy_extras/nodes_images.py). */
const METADATA = new Set(['EXIF', 'XMP ']);

/** Bits of VP8X that announce them. */
const EXIF_FLAG = 0x08;
const XMP_FLAG = 0x04;

/**
 * Chunks of a WebP (RFC 9649). The length of the whole is at the start and metadata at the end, so that what is taken out
 * leaves its place: a chunk of zeros, which readers skip as one they do not know.
 */
export class WebpPieces implements PieceReader {
  /** The header of the file; of a chunk, its head and the flags of VP8X. */
  readonly headLength = 12;
  private begun = false;
  private left = 0;

  next(head: Buffer): Piece | undefined {
    if (!this.begun) {
      this.begun = true;
      this.left = head.readUInt32LE(4) - 4;
      return { taken: 12, head: head.subarray(0, 12), rest: 0, fate: 'keep' };
    }
    if (this.left < 8) return undefined;
    const type = head.toString('latin1', 0, 4);
    const size = head.readUInt32LE(4);
    // Chunks begin at even places.
    const rest = size + (size % 2);
    this.left -= 8 + rest;
    if (METADATA.has(type)) {
      const bare = Buffer.from(head.subarray(0, 8));
      bare.write('JUNK', 'latin1');
      return { taken: 8, head: bare, rest, fate: 'blank' };
    }
    if (type !== 'VP8X' || rest < 4) return { taken: 8, head: head.subarray(0, 8), rest, fate: 'keep' };
    const plain = Buffer.from(head.subarray(0, 9));
    plain.writeUInt8(plain.readUInt8(8) & ~(EXIF_FLAG | XMP_FLAG), 8);
    return { taken: 9, head: plain, rest: rest - 1, fate: 'keep' };
  }
}
