import { type CallerKey, type Exhausted, networkOfKey, shareLimits, Shares } from '../../shares/index.js';
import type { Job } from './job.js';

/** Every so many-th job that leaves is the one that has waited longest, whatever its priority: nobody waits for ever. */
const OLDEST_EVERY = 8;

/** A job's place in the line. */
export interface Place {
  readonly job: Job;
  readonly priority: number;
  /** Start tag of the fair queue: the jobs of one caller are a turn apart. */
  readonly turn: number;
  /** Order of arrival. */
  readonly arrival: number;
}

/** Callers of one priority, and whose turn it is. */
interface Turns {
  /** Turn of the job that left last. */
  now: number;
  /** By caller, the turn of its next job. */
  next: Map<string, number>;
}

/** Jobs of one network that leave in one turn, where its callers are many. */
const JOBS_A_TURN = 16;

/** Callers remembered for each priority. */
const CALLERS = 1_000;

/**
 * The order in which jobs wait: by priority, then callers in turn, then first come, first served. Turns are those of
 * start-time fair queueing (Goyal, Vin, Cheng 1996): a caller with a thousand jobs waits a turn for each, and somebody
 * who comes with one is next.
 */
export class Line {
  /** In order. */
  private readonly places: Place[] = [];
  private readonly byId = new Map<string, Place>();
  private readonly turns = new Map<number, Turns>();
  private readonly shares: Shares;
  private arrivals = 0;
  private departures = 0;

  /** @param places that jobs can have; `add` does not look at it */
  constructor(places = Infinity) {
    this.shares = new Shares(shareLimits(places));
  }

  get size(): number {
    return this.places.length;
  }

  /** Why a caller gets no place now; undefined: it gets one. */
  exhausted(caller: CallerKey): Exhausted | undefined {
    return this.shares.exhausted(caller);
  }

  /** @param priority −100 to 100, higher first @param caller whose turn it takes */
  add(job: Job, priority: number, caller: string): void {
    const turns = this.turnsOf(priority);
    const network = `n ${networkOfKey(caller)}`;
    const ofNetwork = Math.max(turns.now, turns.next.get(network) ?? 0);
    const turn = Math.max(turns.now, turns.next.get(caller) ?? 0, Math.floor(ofNetwork));
    turns.next.set(caller, turn + 1);
    // However many ids somebody makes up, they are one network's: so many of its jobs go in one turn. A caller with many jobs does not
    // count for more: the others of its network would wait for all of them.
    turns.next.set(network, ofNetwork + 1 / JOBS_A_TURN);
    for (const longest of turns.next.keys()) {
      if (turns.next.size <= CALLERS) break;
      // It costs that caller a turn at most.
      turns.next.delete(longest);
    }
    this.arrivals += 1;
    this.insert({ job, priority, turn, arrival: this.arrivals });
  }

  /** Puts a job that left back to where it was. */
  restore(place: Place): void {
    this.insert(place);
  }

  /** Takes a job out. @returns its place, for `restore` */
  remove(id: string): Place | undefined {
    const place = this.byId.get(id);
    if (place === undefined) return undefined;
    this.byId.delete(id);
    this.shares.release(place.job.caller);
    this.places.splice(this.indexOf(place), 1);
    return place;
  }

  /** A job leaves because it is served, which moves the turns on. @returns its place, for `restore` */
  serve(id: string): Place | undefined {
    const place = this.remove(id);
    if (place === undefined) return undefined;
    this.departures += 1;
    const turns = this.turnsOf(place.priority);
    turns.now = Math.max(turns.now, place.turn);
    // Nobody waits, so nobody is owed a turn.
    if (this.places.length === 0) turns.next.clear();
    return place;
  }

  /** The first `count` jobs that are ready, in the order in which they should be served now. */
  first(count: number): Job[] {
    const jobs = this.ready(count);
    if (this.departures % OLDEST_EVERY !== OLDEST_EVERY - 1) return jobs;
    const oldest = this.oldest();
    return oldest === undefined || oldest === jobs[0]
      ? jobs
      : [oldest, ...jobs.filter((job) => job !== oldest)];
  }

  /** Jobs before this one, from 0; undefined where it does not wait. */
  position(id: string): number | undefined {
    const place = this.byId.get(id);
    return place === undefined ? undefined : this.indexOf(place);
  }

  private ready(count: number): Job[] {
    const jobs: Job[] = [];
    for (const { job } of this.places) {
      if (jobs.length >= count) break;
      if (job.ready) jobs.push(job);
    }
    return jobs;
  }

  private oldest(): Job | undefined {
    let oldest: Place | undefined;
    for (const place of this.places) {
      if (place.job.ready && (oldest === undefined || place.arrival < oldest.arrival)) oldest = place;
    }
    return oldest?.job;
  }

  private insert(place: Place): void {
    this.places.splice(this.indexOf(place), 0, place);
    this.byId.set(place.job.id, place);
    this.shares.take(place.job.caller);
  }

  /** Where it is, or where it belongs. */
  private indexOf(place: Place): number {
    let low = 0;
    let high = this.places.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const other = this.places[middle];
      if (other !== undefined && isBefore(other, place)) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  private turnsOf(priority: number): Turns {
    const turns = this.turns.get(priority) ?? { now: 0, next: new Map<string, number>() };
    this.turns.set(priority, turns);
    return turns;
  }
}

function isBefore(a: Place, b: Place): boolean {
  if (a.priority !== b.priority) return a.priority > b.priority;
  if (a.turn !== b.turn) return a.turn < b.turn;
  return a.arrival < b.arrival;
}
