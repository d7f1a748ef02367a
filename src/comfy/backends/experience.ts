/** Kinds of jobs remembered; the longest unused is forgotten first. */
const KINDS = 1_000;

/** Weight of the newest run in an average. */
const NEWEST = 0.3;

/** Milliseconds, as long as nothing better is known. */
const UNKNOWN_RUN_MS = 5_000;
const UNKNOWN_LOAD_MS = 5_000;

interface Averages {
  warmMs?: number;
  coldMs?: number;
}

/**
 * How long jobs take, learned from those that ran: by the models they use, and by whether these had to be loaded. A
 * guess that helps to choose, no promise.
 */
export class Experience {
  private readonly kinds = new Map<string, Averages>();

  /** A run that succeeded. @param cold had a model to be loaded for it? */
  learn(models: readonly string[], cold: boolean, ms: number): void {
    const kind = kindOf(models);
    const known = this.kinds.get(kind) ?? {};
    const field = cold ? 'coldMs' : 'warmMs';
    const before = known[field];
    // The Map's order is that of the last use.
    this.kinds.delete(kind);
    this.kinds.set(kind, { ...known, [field]: before === undefined ? ms : before + NEWEST * (ms - before) });
    for (const oldest of this.kinds.keys()) {
      if (this.kinds.size <= KINDS) break;
      this.kinds.delete(oldest);
    }
  }

  /** Milliseconds that a job with these models takes once they are loaded. */
  runMs(models: readonly string[]): number {
    const { warmMs, coldMs } = this.kinds.get(kindOf(models)) ?? {};
    return warmMs ?? coldMs ?? UNKNOWN_RUN_MS;
  }

  /** Milliseconds that loading them takes; 0 for none. */
  loadMs(models: readonly string[]): number {
    if (models.length === 0) return 0;
    const { warmMs, coldMs } = this.kinds.get(kindOf(models)) ?? {};
    return warmMs === undefined || coldMs === undefined ? UNKNOWN_LOAD_MS : Math.max(0, coldMs - warmMs);
  }
}

function kindOf(models: readonly string[]): string {
  return models.join('\n');
}
