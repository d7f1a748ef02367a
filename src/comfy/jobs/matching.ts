import type { Job } from './job.js';

/** What the choice needs to know of a backend. */
export interface Seat {
  readonly name: string;
  readonly usable: boolean;
  readonly freeSlots: number;
  /** Milliseconds of work it has. */
  readonly backlogMs: number;
  /** `performance.now()` at which it last got a job. */
  readonly lastStart: number;
  /** Has it no model loaded at all? */
  readonly isCold: boolean;
  /** Milliseconds that loading what it lacks of these models would take. */
  loadMs(models: readonly string[]): number;
}

/** What the choice needs to know of a job: its history is the dispatcher's. */
export interface Candidate {
  readonly job: Pick<Job, 'models' | 'priority'>;
  /** Backends it failed on a moment ago. */
  readonly avoids: (backend: string) => boolean;
  /** Times that others went before it for the sake of a loaded model. */
  readonly passed: number;
  /** Milliseconds since it first was kept waiting for a busy backend that has its models; undefined: it never was. */
  readonly heldMs: number | undefined;
}

/** What is to happen next. */
export type Choice<C extends Candidate, S extends Seat> = {
  /** Who goes where. */
  match?: { candidate: C; seat: S };
  /** Who was passed over for it. */
  passed?: C;
  /** Who waits for a busy backend. */
  held: C[];
};

/** So often at most others go before a job for the sake of a loaded model. */
export const MAX_PASSES = 16;

/**
 * Who is next, and where. Jobs are taken in the order of the line, and each goes to where it will be done first, by what is
 * known of run and load times. Two things deviate from the line, both bounded: where a model would have to be loaded
 * although somebody behind could use the one that is there, that one goes first (`MAX_PASSES` times); and a job waits for
 * a busy backend that has its models, if that is free sooner than loading would take (no longer than loading takes).
 * @param waiting in the order of the line
 */
export function choose<C extends Candidate, S extends Seat>(
  waiting: readonly C[],
  seats: readonly S[],
): Choice<C, S> {
  const held: C[] = [];
  for (const candidate of waiting) {
    const options = optionsFor(candidate, seats, waiting);
    const [best] = options;
    if (best === undefined) continue;
    const { seat, loadMs, costMs } = best;
    if (loadMs === 0) return { match: { candidate, seat }, held };
    const busy = seats.filter(
      ({ usable, freeSlots, name }) => usable && freeSlots === 0 && !candidate.avoids(name),
    );
    const patience = loadMs - (candidate.heldMs ?? 0);
    if (
      patience > 0 &&
      busy.some((other) => other.loadMs(candidate.job.models) === 0 && other.backlogMs < costMs)
    ) {
      held.push(candidate);
      continue;
    }
    if (candidate.passed < MAX_PASSES) {
      const free = options.find((option) => option.heir === undefined);
      if (free !== undefined) return { match: { candidate, seat: free.seat }, held };
      if (best.heir !== undefined) {
        return { match: { candidate: best.heir, seat }, passed: candidate, held };
      }
    }
    return { match: { candidate, seat }, held };
  }
  return { held };
}

interface Option<C, S> {
  seat: S;
  loadMs: number;
  /** Milliseconds until the job could begin there. */
  costMs: number;
  /** The first behind it, of the same priority, that could use what is loaded there. */
  heir: C | undefined;
}

/** Where a job could go now, the best first. */
function optionsFor<C extends Candidate, S extends Seat>(
  candidate: C,
  seats: readonly S[],
  waiting: readonly C[],
): Option<C, S>[] {
  const { models } = candidate.job;
  return seats
    .filter(({ freeSlots, name }) => freeSlots > 0 && !candidate.avoids(name))
    .map((seat) => {
      const loadMs = seat.loadMs(models);
      const heir = loadMs === 0 ? undefined : heirOf(seat, candidate, waiting);
      return { seat, loadMs, costMs: seat.backlogMs + loadMs, heir };
    })
    .sort(
      (a, b) =>
        a.costMs - b.costMs ||
        // A model that nobody waits for is the one to give up.
        Number(a.heir !== undefined) - Number(b.heir !== undefined) ||
        Number(b.seat.isCold) - Number(a.seat.isCold) ||
        a.seat.lastStart - b.seat.lastStart,
    );
}

function heirOf<C extends Candidate>(seat: Seat, candidate: C, waiting: readonly C[]): C | undefined {
  if (seat.isCold) return undefined;
  return waiting
    .slice(waiting.indexOf(candidate) + 1)
    .find(
      (other) =>
        other.job.priority === candidate.job.priority &&
        other.job.models.length > 0 &&
        !other.avoids(seat.name) &&
        seat.loadMs(other.job.models) === 0,
    );
}
