import { ossError } from './oss-error.js';

/** Notices that nothing moves any more. */
export class ProgressWatch {
  /** Rejects with a StorageError (`timeout`) once there was no progress for that long. */
  readonly stalled: Promise<never>;
  private readonly timer: NodeJS.Timeout;

  /** @param idleMs longest time without progress */
  constructor(idleMs: number) {
    let reject: (error: Error) => void = () => undefined;
    this.stalled = new Promise<never>((_resolve, fail) => (reject = fail));
    this.stalled.catch(() => undefined);
    this.timer = setTimeout(() => reject(ossError('timeout', { idleMs })), idleMs);
    this.timer.unref();
  }

  touch(): void {
    this.timer.refresh();
  }

  stop(): void {
    clearTimeout(this.timer);
  }
}
