import { type CallerKey, FairGate } from '../shares/index.js';
import { ImageError } from './image.error.js';
import { ImageWorker } from './image-worker.js';
import type { ResultOf, Task } from './tasks.js';

/** Images worked at at the same time: of all, of one network, of one caller. Two cores are busy with two; the others are for who comes later. */
const AT_ONCE = { total: 4, network: 3, caller: 2 };

/** Milliseconds that a worker waits for the next image; a new one takes about 100 to start. */
const IDLE_MS = 30_000;

/** Has one task after the other done, for as long as the seat is held. */
export type Perform = <T extends Task>(task: T) => Promise<ResultOf<T>>;

/** A few workers, started when there is something to do and ended when there is not. */
export class ImageWorkers {
  private readonly gate = new FairGate(AT_ONCE);
  private idle: ImageWorker[] = [];
  private readonly all = new Set<ImageWorker>();
  private timer: NodeJS.Timeout | undefined;

  constructor(
    /** Milliseconds for one task. */
    private readonly timeoutMs: number,
  ) {}

  /**
   * Runs `work` when a worker is free for it. An abort ends the wait at once; how many wait is bounded by whoever has jobs.
   * @throws ImageError `too_slow` · `failed`; the signal's reason; what `work` throws
   */
  async run<T>(
    work: (perform: Perform) => Promise<T>,
    signal: AbortSignal,
    caller: CallerKey = '',
  ): Promise<T> {
    signal.throwIfAborted();
    let abort: (() => void) | undefined;
    try {
      return await Promise.race([
        new Promise<never>((_, reject) => {
          abort = () => reject(signal.reason as Error);
          signal.addEventListener('abort', abort, { once: true });
        }),
        this.gate.run(caller, signal, () => this.withWorker(work, signal)),
      ]);
    } finally {
      if (abort !== undefined) signal.removeEventListener('abort', abort);
    }
  }

  /** Ends all workers, whatever they do. */
  close(): void {
    clearTimeout(this.timer);
    for (const worker of this.all) worker.end();
    this.all.clear();
    this.idle = [];
  }

  private async withWorker<T>(work: (perform: Perform) => Promise<T>, signal: AbortSignal): Promise<T> {
    clearTimeout(this.timer);
    let worker: ImageWorker | undefined;
    try {
      return await work((task) => {
        worker ??= this.take();
        return this.inTime(worker, task, signal);
      });
    } finally {
      if (worker !== undefined) this.putBack(worker);
    }
  }

  private async inTime<T extends Task>(
    worker: ImageWorker,
    task: T,
    signal: AbortSignal,
  ): Promise<ResultOf<T>> {
    const limited = new AbortController();
    const stop = () => limited.abort(signal.reason);
    signal.addEventListener('abort', stop, { once: true });
    const timer = setTimeout(() => limited.abort(tooSlow()), this.timeoutMs);
    try {
      signal.throwIfAborted();
      return await worker.perform(task, limited.signal);
    } finally {
      clearTimeout(timer);
      signal.removeEventListener('abort', stop);
    }
  }

  private take(): ImageWorker {
    for (;;) {
      const worker = this.idle.pop();
      if (worker?.alive) return worker;
      if (worker !== undefined) {
        this.all.delete(worker);
        continue;
      }
      const started = new ImageWorker();
      this.all.add(started);
      return started;
    }
  }

  private putBack(worker: ImageWorker): void {
    if (worker.alive && this.all.has(worker)) this.idle.push(worker);
    else this.all.delete(worker);
    if (this.gate.size > 1) return;
    this.timer = setTimeout(() => this.close(), IDLE_MS);
    this.timer.unref();
  }
}

function tooSlow(): ImageError {
  return new ImageError(
    'too_slow',
    'The image takes too long to be worked at. Use a smaller or simpler one.',
  );
}
