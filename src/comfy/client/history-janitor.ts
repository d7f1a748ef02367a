import type { ComfyHttp } from './comfy-http.js';

const FLUSH_AFTER_MS = 1_000;
const FLUSH_AT = 64;

/**
 * Deletes history entries whose outputs are safe: ComfyUI keeps up to 10,000 of them, each with its whole workflow.
 * Many go in one request, so that the server's one Python process is not busied with a request a job.
 */
export class HistoryJanitor {
  private ids: string[] = [];
  private timer: NodeJS.Timeout | undefined;
  private work: Promise<void> = Promise.resolve();

  constructor(private readonly http: ComfyHttp) {}

  forget(promptId: string): void {
    this.ids.push(promptId);
    if (this.ids.length >= FLUSH_AT) {
      void this.flush();
      return;
    }
    this.timer ??= setTimeout(() => void this.flush(), FLUSH_AFTER_MS).unref();
  }

  /** Sends what is waiting; never rejects. An entry that stays behind costs a little memory there and nothing else. */
  async flush(): Promise<void> {
    clearTimeout(this.timer);
    this.timer = undefined;
    const ids = this.ids;
    this.ids = [];
    if (ids.length > 0) {
      this.work = this.work.then(() => this.http.deleteHistory(ids)).catch(() => undefined);
    }
    await this.work;
  }
}
