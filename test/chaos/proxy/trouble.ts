/** What a line does to the bytes that pass; times in milliseconds. */
export interface Trouble {
  /** Every byte arrives so much later. */
  latencyMs: number;
  /** And up to so much later again; the order stays. */
  jitterMs: number;
  /** Slow drip: so many bytes a second in each direction. */
  bytesPerSecond: number;
}

export const NO_TROUBLE: Readonly<Trouble> = { latencyMs: 0, jitterMs: 0, bytesPerSecond: Infinity };

/** How a new connection is met. A refused one never gets to us, so it is not here. */
export type Welcome = 'pass' | 'black-hole';
