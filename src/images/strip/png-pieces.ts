import type { Piece, PieceReader } from './piece.js';

/**
 * Where ComfyUI's workflow is: text chunks (SaveImage; nodes.py), and `comf` behind the first frame of an animated PNG
 * (SaveAnimatedPNG; comfy_extras/nodes_images.py). Some nodes write EXIF.
 */
const METADATA = new Set(['tEXt', 'zTXt', 'iTXt', 'eXIf', 'comf']);

/** The largest chunk that there may be (W3C PNG, third edition, 5.3). */
const MAX_LENGTH = 2 ** 31 - 1;

/** Chunks of a PNG. */
export class PngPieces implements PieceReader {
  readonly headLength = 8;
  private begun = false;
  private ended = false;

  next(head: Buffer): Piece | undefined {
    if (this.ended) return undefined;
    if (!this.begun) {
      this.begun = true;
      return { taken: 8, head: head.subarray(0, 8), rest: 0, fate: 'keep' };
    }
    const length = head.readUInt32BE(0);
    const type = head.toString('latin1', 4, 8);
    if (length > MAX_LENGTH || !/^[A-Za-z]{4}$/.test(type)) return undefined;
    this.ended = type === 'IEND';
    // The checksum is behind the data.
    const rest = length + 4;
    return METADATA.has(type)
      ? { taken: 8, head: Buffer.alloc(0), rest, fate: 'drop' }
      : { taken: 8, head: head.subarray(0, 8), rest, fate: 'keep' };
  }
}
