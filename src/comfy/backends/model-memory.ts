import { keepNewest } from '../client/index.js';

/** Names kept for operators. */
const KEPT = 16;

/**
 * Which models a backend has most likely loaded: those of the last job it was given that uses any. ComfyUI does not tell, and
 * keeps more than these where its memory suffices; to believe in less costs a choice, to believe in more costs a load.
 */
export class ModelMemory {
  private current: ReadonlySet<string> = new Set();
  private readonly recent = new Map<string, number>();

  /** A job that uses these is next. @param now milliseconds since the epoch */
  use(models: readonly string[], now: number): void {
    if (models.length === 0) return;
    this.current = new Set(models);
    for (const model of models) {
      this.recent.delete(model);
      this.recent.set(model, now);
    }
    keepNewest(this.recent, KEPT);
  }

  get loaded(): ReadonlySet<string> {
    return this.current;
  }

  /** Those of `models` that have to be loaded. */
  missing(models: readonly string[]): string[] {
    return models.filter((model) => !this.current.has(model));
  }

  /** Has it loaded any? */
  get isEmpty(): boolean {
    return this.current.size === 0;
  }

  /** Models used lately and when, in ms since the epoch, the newest first. */
  get lately(): { name: string; at: number }[] {
    return [...this.recent].map(([name, at]) => ({ name, at })).reverse();
  }

  /** The server has restarted, or was told to unload everything. */
  clear(): void {
    this.current = new Set();
  }
}
