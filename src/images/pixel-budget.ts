/** Sees to it that what is worked at at the same time has no more pixels than the largest image that is taken. */
export class PixelBudget {
  private used = 0;
  private waiting: (() => void)[] = [];

  constructor(private readonly maxPixels: number) {}

  /** Runs `work` once there is room for so many pixels; what has more than all of it has it alone. @throws the signal's reason */
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
