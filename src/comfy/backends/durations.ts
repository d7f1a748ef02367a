import { keepNewest } from '../client/index.js';

/** Shapes remembered; the longest without a run is forgotten first. */
const SHAPES = 2_000;

/** Weight of the newest run in an average, at least: the first few count alike. */
const NEWEST = 0.3;

interface Average {
  ms: number;
  count: number;
}

/** What was seen of a shape on one backend. */
interface Known {
  warm?: Average;
  cold?: Average;
  storing?: Average;
}

/**
 * How long workflows take, learned from those that succeeded, by their shape (`shapeOf`) and by the backend. Where
 * `Experience` guesses rather than leave a choice undecided, this says that it does not know.
 */
export class Durations {
  private readonly shapes = new Map<string, Map<string, Known>>();

  /**
   * A run that succeeded.
   * @param cold had a model to be loaded for it?
   * @param ms from ComfyUI's beginning with it to its end
   */
  learnRun(shape: string, backend: string, cold: boolean, ms: number): void {
    const known = this.known(shape, backend);
    if (cold) known.cold = averaged(known.cold, ms);
    else known.warm = averaged(known.warm, ms);
  }

  /** Files that are safe. @param ms from ComfyUI's end to that */
  learnStoring(shape: string, backend: string, ms: number): void {
    const known = this.known(shape, backend);
    known.storing = averaged(known.storing, ms);
  }

  /**
   * Milliseconds that a run takes on this backend, else on the others as far as they have seen it; undefined where none has.
   * @param loadMs milliseconds of it that loading models adds. What was only seen with a load is taken as it was
   */
  runMs(shape: string, backend: string, loadMs: number): number | undefined {
    const warmMs = this.find(shape, backend, 'warm');
    return warmMs === undefined ? this.find(shape, backend, 'cold') : warmMs + loadMs;
  }

  /** Milliseconds from ComfyUI's end until the files are safe; as `runMs`. */
  storingMs(shape: string, backend: string): number | undefined {
    return this.find(shape, backend, 'storing');
  }

  private find(shape: string, backend: string, what: keyof Known): number | undefined {
    const backends = this.shapes.get(shape);
    const here = backends?.get(backend)?.[what];
    if (backends === undefined || here !== undefined) return here?.ms;
    const elsewhere = [...backends.values()].flatMap((known) => known[what]?.ms ?? []);
    if (elsewhere.length === 0) return undefined;
    return elsewhere.reduce((sum, ms) => sum + ms, 0) / elsewhere.length;
  }

  private known(shape: string, backend: string): Known {
    const backends = this.shapes.get(shape) ?? new Map<string, Known>();
    const known = backends.get(backend) ?? {};
    backends.set(backend, known);
    // The Map's order is that of the last run.
    this.shapes.delete(shape);
    this.shapes.set(shape, backends);
    keepNewest(this.shapes, SHAPES);
    return known;
  }
}

function averaged(before: Average | undefined, ms: number): Average {
  if (before === undefined) return { ms, count: 1 };
  const count = before.count + 1;
  return { ms: before.ms + Math.max(NEWEST, 1 / count) * (ms - before.ms), count };
}
