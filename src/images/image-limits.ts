/** How much one image may cost. */
export interface ImageLimits {
  /** Width × height × frames. */
  maxPixels: number;
  /** Milliseconds. */
  timeoutMs: number;
}
