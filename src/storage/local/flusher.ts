import { Logger } from '@nestjs/common';
import pLimit from 'p-limit';
import { codeOf } from './fs-error.js';

/** Flushes at a time. libuv has four threads for all file operations, and whoever waits for a `put` needs them too. */
const AT_ONCE = 2;

/** Files whose flush is still to come; beyond that a `put` waits, so that a slow disk slows its users down. */
const MAX_WAITING = 64;

/** Makes published files durable behind the callers' backs, within moments. */
export class Flusher {
  private readonly logger = new Logger('LocalStorage');
  private readonly limit = pLimit(AT_ONCE);
  private readonly waiting = new Set<Promise<void>>();
  private failure: unknown;

  /** Resolves when there is room for one more. */
  async room(): Promise<void> {
    while (this.waiting.size >= MAX_WAITING) await Promise.race(this.waiting);
  }

  /** @param flush what to do; a failure is logged, and told by the next `takeFailure` */
  add(flush: () => Promise<void>): void {
    const work = this.limit(flush)
      .catch((error: unknown) => {
        this.failure = error;
        this.logger.error(`What was stored could not be flushed to the disk (${codeOf(error)}).`);
      })
      .finally(() => this.waiting.delete(work));
    this.waiting.add(work);
  }

  /** What the disk said to the last flush that failed since this was asked. */
  takeFailure(): unknown {
    const { failure } = this;
    this.failure = undefined;
    return failure;
  }

  /** Resolves when nothing is left to do. */
  async idle(): Promise<void> {
    await Promise.all(this.waiting);
  }
}
