import { type CallerKey, type ShareLimits, Shares } from './shares.js';

interface Waiting {
  caller: CallerKey;
  begin: () => void;
}

/** So much work at a time. Who has least of it under way is next, then who came first. */
export class FairGate {
  private readonly shares: Shares;
  private readonly line: Waiting[] = [];

  constructor(limits: ShareLimits) {
    this.shares = new Shares(limits);
  }

  /** Work that is under way, and that waits. */
  get size(): number {
    return this.shares.size + this.line.length;
  }

  /** Runs `work` when it is its caller's turn. An abort ends the wait. @throws the signal's reason; what `work` throws */
  async run<T>(caller: CallerKey, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    signal.throwIfAborted();
    await this.turn(caller, signal);
    try {
      return await work();
    } finally {
      this.shares.release(caller);
      this.admit();
    }
  }

  private turn(caller: CallerKey, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const leave = () => {
        const place = this.line.indexOf(waiting);
        if (place >= 0) this.line.splice(place, 1);
        reject(signal.reason as Error);
      };
      const begin = () => {
        signal.removeEventListener('abort', leave);
        resolve();
      };
      const waiting: Waiting = { caller, begin };
      this.line.push(waiting);
      signal.addEventListener('abort', leave, { once: true });
      this.admit();
    });
  }

  private admit(): void {
    for (let next = this.next(); next !== undefined; next = this.next()) {
      this.line.splice(this.line.indexOf(next), 1);
      this.shares.take(next.caller);
      next.begin();
    }
  }

  private next(): Waiting | undefined {
    let best: Waiting | undefined;
    let least = Infinity;
    for (const waiting of this.line) {
      if (this.shares.exhausted(waiting.caller) !== undefined) continue;
      const held = this.shares.of(waiting.caller);
      if (held < least) [best, least] = [waiting, held];
      if (least === 0) break;
    }
    return best;
  }
}
