import { keepNewest } from '../client/index.js';

/** Kinds of jobs remembered; the longest unused is forgotten first. */
const KINDS = 1_000;

/** Weight of the newest run in an average. */
const NEWEST = 0.3;

/** Milliseconds, as long as nothing better is known. */
const UNKNOWN_RUN_MS = 5_000;
const UNKNOWN_LOAD_MS = 5_000;

/** A load below this, or below this part of the run itself, is lost in the noise: nobody should wait for its sake. */
const NOISE_MS = 50;
const NOISE_PART = 0.2;

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
  /** What loading costs as a rule: the guess for kinds that were not seen both ways yet. */
  private usualLoadMs = UNKNOWN_LOAD_MS;

  /** A run that succeeded. @param cold had a model to be loaded for it? */
  learn(models: readonly string[], cold: boolean, ms: number): void {
    const kind = kindOf(models);
    const known = this.kinds.get(kind) ?? {};
    const field = cold ? 'coldMs' : 'warmMs';
    const before = known[field];
    // The Map's order is that of the last use.
    this.kinds.delete(kind);
    this.kinds.set(kind, { ...known, [field]: before === undefined ? ms : before + NEWEST * (ms - before) });
    if (known.warmMs === undefined || known.coldMs === undefined) this.usualLoadMs = this.knownLoadMs(kind);
    keepNewest(this.kinds, KINDS);
  }

  /** Milliseconds that a job with these models takes once they are loaded. */
  runMs(models: readonly string[]): number {
    const { warmMs, coldMs } = this.kinds.get(kindOf(models)) ?? {};
    return warmMs ?? coldMs ?? UNKNOWN_RUN_MS;
  }

  /** Milliseconds that loading them takes; 0 for none, and for loads that do not matter. */
  loadMs(models: readonly string[]): number {
    return models.length === 0 ? 0 : this.knownLoadMs(kindOf(models));
  }

  private knownLoadMs(kind: string): number {
    const { warmMs, coldMs } = this.kinds.get(kind) ?? {};
    if (warmMs === undefined || coldMs === undefined) return this.usualLoadMs;
    const loadMs = coldMs - warmMs;
    return loadMs < Math.max(NOISE_MS, NOISE_PART * warmMs) ? 0 : loadMs;
  }
}

function kindOf(models: readonly string[]): string {
  return models.join('\n');
}
