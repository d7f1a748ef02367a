import type { RunProgress } from '../client/index.js';

/** When a job will be done, as far as that is known, in whole numbers. Guesses from what was seen before, no promises. */
export interface JobForecast {
  /** Jobs before it in line, from 0; undefined where it does not wait. */
  position: number | undefined;
  /** Milliseconds until a backend begins with it; 0 once one has; undefined where nobody can tell, and for jobs that have ended. */
  startsInMs: number | undefined;
  /** Milliseconds until its result is there; undefined where nobody can tell, and for jobs that have ended. */
  endsInMs: number | undefined;
}

/** What takes longer than it used to by no more than this part and these milliseconds may end at any moment: half of them do. */
const GRACE_PART = 0.5;
const GRACE_MS = 100;

/** Below this part of the way a run's own pace says more about what came first than about the rest. */
const PACE_FROM = 0.05;

/**
 * Milliseconds that a run still takes: by what its shape took before, and by its own pace, which counts the more the further
 * it is. Its pace is known while a node counts its steps; how many nodes are done says little about time.
 * @param learnedMs what the whole run took before; undefined: not known
 * @param elapsedMs since it began
 * @returns undefined where neither tells, as when it takes much longer than before
 */
export function remainingMs(
  learnedMs: number | undefined,
  elapsedMs: number,
  progress: RunProgress | undefined,
): number | undefined {
  const value = progress?.steps === undefined ? 0 : progress.value;
  const paced = value > PACE_FROM ? elapsedMs / value - elapsedMs : undefined;
  const overdue = learnedMs === undefined || elapsedMs > learnedMs * (1 + GRACE_PART) + GRACE_MS;
  const left = overdue ? undefined : Math.max(0, learnedMs - elapsedMs);
  if (left === undefined || paced === undefined) return left ?? paced;
  return value * paced + (1 - value) * left;
}

/** What the line's simulation needs to know of a backend. */
export interface Server {
  readonly name: string;
  /** Milliseconds until it is done with what it has; undefined where nobody can tell. */
  readonly freeInMs: number | undefined;
  /** Models that it will have loaded then. */
  readonly loaded: ReadonlySet<string>;
}

/** What the simulation needs to know of a job. */
export interface Waiter {
  readonly id: string;
  readonly models: readonly string[];
  readonly shape: string;
}

/** What was learned of run times, in milliseconds: `Durations` and `Experience`. */
export interface Lore {
  /** With `loadMs` added where the models have to be loaded. */
  runMs(shape: string, backend: string, loadMs: number): number | undefined;
  storingMs(shape: string, backend: string): number | undefined;
  loadMs(models: readonly string[]): number;
}

/** Milliseconds from now; undefined where nobody can tell. */
export interface Expectation {
  startsInMs: number | undefined;
  endsInMs: number | undefined;
}

interface Desk {
  name: string;
  freeInMs: number;
  loaded: ReadonlySet<string>;
}

/**
 * Plays the line through: each job goes to where it could begin first, as in `choose`. A backend runs one at a time, however
 * many it holds. Who gets a job that nobody knows the length of is out of the game from there on: those behind have to do
 * with the others, so what is told is the latest they begin. Who has no other is not told at all.
 * @param line in order of service
 * @param worthwhile asked before each job; false ends the game early, and the jobs from there on are not told
 * @returns by job id
 */
export function playThrough(
  line: Iterable<Waiter>,
  servers: readonly Server[],
  lore: Lore,
  worthwhile: () => boolean = () => true,
): Map<string, Expectation> {
  const told = new Map<string, Expectation>();
  let desks: Desk[] = servers.flatMap(({ freeInMs, ...server }) =>
    freeInMs === undefined ? [] : { ...server, freeInMs },
  );
  for (const { id, models, shape } of line) {
    if (desks.length === 0 || !worthwhile()) break;
    const fullLoadMs = lore.loadMs(models);
    const { desk, loadMs } = firstFree(desks, models, fullLoadMs);
    const runMs = lore.runMs(shape, desk.name, loadMs);
    const storingMs = lore.storingMs(shape, desk.name);
    const startsInMs = desk.freeInMs;
    const known = runMs !== undefined && storingMs !== undefined;
    told.set(id, { startsInMs, endsInMs: known ? startsInMs + runMs + storingMs : undefined });
    if (runMs === undefined) {
      desks = desks.filter((other) => other !== desk);
    } else {
      desk.freeInMs += runMs;
      if (models.length > 0) desk.loaded = new Set(models);
    }
  }
  return told;
}

function firstFree(desks: readonly Desk[], models: readonly string[], fullLoadMs: number) {
  let best: { desk: Desk; loadMs: number; costMs: number } | undefined;
  for (const desk of desks) {
    // Nothing to load makes it no better than free.
    if (best !== undefined && desk.freeInMs >= best.costMs) continue;
    const loadMs = fullLoadMs === 0 ? 0 : (fullLoadMs * missing(models, desk.loaded)) / models.length;
    const costMs = desk.freeInMs + loadMs;
    if (best === undefined || costMs < best.costMs) best = { desk, loadMs, costMs };
  }
  if (best === undefined) throw new Error('There is no desk.');
  return best;
}

function missing(models: readonly string[], loaded: ReadonlySet<string>): number {
  let count = 0;
  for (const model of models) if (!loaded.has(model)) count += 1;
  return count;
}
