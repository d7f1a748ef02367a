/** What becomes of the next piece of a file. */
export interface Piece {
  /** Bytes of its head, which are replaced by `head`. */
  taken: number;
  head: Buffer;
  /** Bytes behind the head. */
  rest: number;
  /** `blank`: zeros in their place. */
  fate: 'keep' | 'drop' | 'blank';
}

/** Tells what becomes of the pieces of one file, one after the other. */
export interface PieceReader {
  /** Bytes that it has to see of a piece. */
  readonly headLength: number;
  /** @param head `headLength` bytes or more @returns undefined: whatever comes now is kept */
  next(head: Buffer): Piece | undefined;
}
