/** Limits of what callers can hold by sending or reading slowly. */
export interface ConnectionLimits {
  /** Milliseconds in which a body has to bring `leastBytes`; then 408. */
  bodyIdleMs: number;
  /** Bytes. */
  leastBytes: number;
  /** Bodies that brought nothing for `slowAfterMs`, of one address; the slowest above it get 408. */
  slowBodies: number;
  slowAfterMs: number;
  /** Milliseconds in which a reader has to take `readLeastBytes` of what waits for it, or all; then its connection is closed. */
  readIdleMs: number;
  /** Bytes. */
  readLeastBytes: number;
  /** Milliseconds until a connection is closed whose request was answered before its body was there. */
  lingerMs: number;
  /** Milliseconds between two looks. */
  lookEveryMs: number;
  /** Bytes of unfinished bodies held in memory: of one address, and of all. Small ones are not counted. */
  addressBytes: number;
  totalBytes: number;
  smallBytes: number;
}
