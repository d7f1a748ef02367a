import pLimit, { type LimitFunction } from 'p-limit';

/** So many at a time, and so many of one caller: who has a hundred slow ones keeps nobody else waiting. */
export class FairLimit {
  private readonly all: LimitFunction;
  private readonly byCaller = new Map<string, LimitFunction>();

  constructor(
    total: number,
    private readonly each: number,
  ) {
    this.all = pLimit(total);
  }

  async run<T>(caller: string, work: () => Promise<T>): Promise<T> {
    const own = this.byCaller.get(caller) ?? pLimit(this.each);
    this.byCaller.set(caller, own);
    try {
      return await own(() => this.all(work));
    } finally {
      if (own.activeCount + own.pendingCount === 0) this.byCaller.delete(caller);
    }
  }
}
