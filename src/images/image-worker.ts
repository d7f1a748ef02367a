import { type ChildProcess, fork } from 'node:child_process';
import { constants, setPriority } from 'node:os';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ImageError } from './image.error.js';
import type { Answer, ResultOf, Task } from './tasks.js';

/** Built it is JavaScript; beside its source a loader is needed. */
const EXTENSION = extname(fileURLToPath(import.meta.url));
const SCRIPT = fileURLToPath(new URL(`./worker${EXTENSION}`, import.meta.url));
const LOADER = EXTENSION === '.ts' ? ['--import', 'tsx'] : [];

/**
 * A process that decodes and encodes images, one at a time. A process, because an encoder in a thread can neither be stopped
 * (sharp's own time limit does not reach it) nor be left behind when the server ends; it takes its memory with it, and what
 * crashes is not the server.
 */
export class ImageWorker {
  private readonly child: ChildProcess;

  constructor() {
    // No environment: what decodes files of strangers has no use for our keys.
    this.child = fork(SCRIPT, { env: {}, execArgv: LOADER, stdio: ['ignore', 'ignore', 'ignore', 'ipc'] });
    // Reported where a task is under way.
    this.child.on('error', () => undefined);
    this.yieldToOthers();
    this.release();
  }

  get alive(): boolean {
    return (
      !this.child.killed &&
      this.child.connected &&
      this.child.exitCode === null &&
      this.child.signalCode === null
    );
  }

  /**
   * Has a task done; the process is gone where that was stopped.
   * @throws ImageError; the signal's reason
   */
  async perform<T extends Task>(task: T, signal: AbortSignal): Promise<ResultOf<T>> {
    signal.throwIfAborted();
    const { child } = this;
    child.ref();
    child.channel?.ref();
    const finished = new AbortController();
    let answered = false;
    try {
      const answer = await new Promise<Answer>((resolve, reject) => {
        const once = { once: true, signal: finished.signal };
        const listen = (event: string, listener: (value: unknown) => void) => {
          child.on(event, listener);
          finished.signal.addEventListener('abort', () => child.off(event, listener), { once: true });
        };
        signal.addEventListener('abort', () => reject(signal.reason as Error), once);
        listen('message', (message) => resolve(message as Answer));
        listen('exit', () => reject(crashed()));
        listen('error', (error) => reject(crashed(error)));
        child.send(task, (error) => error && reject(crashed(error)));
      });
      answered = true;
      if (answer.ok) return answer.result as ResultOf<T>;
      if (answer.code === undefined) throw crashed(new Error(answer.message));
      throw new ImageError(answer.code, answer.message);
    } finally {
      finished.abort();
      // It is still at work.
      if (!answered) this.end();
      this.release();
    }
  }

  end(): void {
    this.child.kill('SIGKILL');
  }

  /** While it has nothing to do it does not keep our process. */
  private release(): void {
    this.child.unref();
    this.child.channel?.unref();
  }

  private yieldToOthers(): void {
    if (this.child.pid === undefined) return;
    try {
      setPriority(this.child.pid, constants.priority.PRIORITY_BELOW_NORMAL);
    } catch {
      // Then they share alike.
    }
  }
}

function crashed(cause?: unknown): ImageError {
  return new ImageError('failed', 'The image could not be worked at: that failed on our side.', cause);
}
