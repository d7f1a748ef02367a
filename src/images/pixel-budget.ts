/** Images up to this part of the largest one have a quarter of the pixels more, to themselves. */
const SMALL_PART = 1 / 8;

/**
 * Bounds the pixels that are worked at at the same time: as many as the largest image that is taken has. Small images do not wait for
 * large ones.
 */
export class PixelBudget {
  private readonly large: Pixels;
  private readonly small: Pixels;

  constructor(private readonly maxPixels: number) {
    this.large = new Pixels(maxPixels);
    this.small = new Pixels(maxPixels / 4);
  }

  /** Runs `work` once there is room for so many pixels; what has more than all of it has it alone. @throws the signal's reason */
  hold<T>(pixels: number, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    const budget = pixels <= this.maxPixels * SMALL_PART ? this.small : this.large;
    return budget.hold(pixels, signal, work);
  }
}

class Pixels {
  private used = 0;
  private waiting: (() => void)[] = [];

  constructor(private readonly maxPixels: number) {}

  async hold<T>(pixels: number, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    while (this.used > 0 && this.used + pixels > this.maxPixels) {
      await new Promise<void>((resolve) => this.waiting.push(resolve));
      signal.throwIfAborted();
    }
    this.used += pixels;
    try {
      return await work();
    } finally {
      this.used -= pixels;
      const waiting = this.waiting;
      this.waiting = [];
      for (const wake of waiting) wake();
    }
  }
}
