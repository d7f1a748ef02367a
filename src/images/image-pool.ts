import pLimit from 'p-limit';
import { ImageError } from './image.error.js';

/**
 * Images worked at at the same time. Each occupies a thread of libuv's pool, which has 4 by default and serves files and
 * DNS as well; and each may need hundreds of megabytes.
 */
const AT_ONCE = 2;

/** Images that may wait for their turn; more than the engine can have under way by itself. */
const MAX_WAITING = 1_000;

/** Lets a few images at once be worked at. */
export class ImagePool {
  private readonly limit = pLimit(AT_ONCE);

  constructor(
    /** Milliseconds for one image, from when it is its turn. */
    private readonly timeoutMs: number,
    private readonly maxWaiting = MAX_WAITING,
  ) {}

  /** Images that are worked at or wait for their turn. */
  get size(): number {
    return this.limit.activeCount + this.limit.pendingCount;
  }

  /**
   * Runs `work` when it is its turn, with a signal that tells it to stop. Who waits for it is told at once when that happens;
   * the seat is given to the next only when `work` is really over, as a library's threads cannot be stopped at any moment.
   * @throws ImageError `busy` · `too_slow`; the signal's reason; what `work` throws
   */
  async run<T>(work: (limited: AbortSignal) => Promise<T>, signal: AbortSignal): Promise<T> {
    signal.throwIfAborted();
    if (this.limit.pendingCount >= this.maxWaiting) {
      throw new ImageError('busy', 'Too many images are being worked at. Try again in a moment.');
    }
    const stopping = new AbortController();
    const stop = () => stopping.abort(signal.reason);
    signal.addEventListener('abort', stop, { once: true });
    let timer: NodeJS.Timeout | undefined;
    try {
      return await new Promise<T>((resolve, reject) => {
        stopping.signal.addEventListener('abort', () => reject(stopping.signal.reason as Error));
        this.limit(async () => {
          if (stopping.signal.aborted) return;
          timer = setTimeout(() => stopping.abort(tooSlow()), this.timeoutMs);
          await work(stopping.signal).then(resolve, reject);
        }).catch(reject);
      });
    } finally {
      clearTimeout(timer);
      signal.removeEventListener('abort', stop);
    }
  }
}

function tooSlow(): ImageError {
  return new ImageError(
    'too_slow',
    'The image takes too long to be worked at. Use a smaller or simpler one.',
  );
}
