import type { Backend, Durations, Experience } from '../backends/index.js';
import { type Expectation, type JobForecast, type Lore, playThrough, remainingMs } from './forecast.js';
import type { Job } from './job.js';
import type { JobQueue } from './job-queue.port.js';
import { isFinal } from './job.reducer.js';

/** What the forecast needs to know of a backend. */
export type Station = Pick<Backend, 'name' | 'usable' | 'running' | 'loaded'>;

/** All backends, and what was learned of them: `BackendPool`. */
export interface Stations {
  readonly backends: readonly Station[];
  readonly durations: Pick<Durations, 'runMs' | 'storingMs'>;
  readonly experience: Pick<Experience, 'loadMs'>;
}

/** For each waiting job, milliseconds for which the line is not played through again: it is done for all at once. */
const AGE_PER_JOB_MS = 0.2;

const UNKNOWN: JobForecast = { position: undefined, startsInMs: undefined, endsInMs: undefined };

/** Says when jobs will begin and end, from what was learned before; and nothing where that does not tell. */
export class Forecaster {
  private readonly lore: Lore;
  private played = new Map<string, Expectation>();
  private playedAt = Number.NEGATIVE_INFINITY;
  private freshMs = 0;

  constructor(
    private readonly queue: Pick<JobQueue, 'find' | 'first' | 'position' | 'waiting'>,
    private readonly stations: Stations,
    /** Milliseconds that playing through may take. Naming the shapes of large workflows can take longer, and goes on the next time. */
    private readonly budgetMs = 20,
  ) {
    const { durations, experience } = stations;
    this.lore = {
      runMs: (shape, backend, loadMs) => durations.runMs(shape, backend, loadMs),
      storingMs: (shape, backend) => durations.storingMs(shape, backend),
      loadMs: (models) => experience.loadMs(models),
    };
  }

  /** @param now milliseconds since the epoch */
  forecast(id: string, now = Date.now()): JobForecast {
    const job = this.queue.find(id);
    if (job === undefined || isFinal(job.state)) return UNKNOWN;
    const { startsInMs, endsInMs } = this.expect(job, now) ?? UNKNOWN;
    return { position: this.queue.position(id), startsInMs: whole(startsInMs), endsInMs: whole(endsInMs) };
  }

  private expect(job: Job, now: number): Expectation | undefined {
    const { status, backend = '', times } = job.state;
    switch (status) {
      case 'queued':
        return this.expectWaiting(job.id, now);
      case 'running':
        return this.expectOn(backend, job, now);
      default: {
        const storingMs = this.lore.storingMs(job.shape, backend);
        return { startsInMs: 0, endsInMs: remainingMs(storingMs, now - (times.rendered ?? now), undefined) };
      }
    }
  }

  /** A job in the line. One that came a moment ago, into a long line, is not told before the next time. */
  private expectWaiting(id: string, now: number): Expectation | undefined {
    // A clock that is put back must not keep an old forecast alive.
    if (Math.abs(now - this.playedAt) > this.freshMs) this.play(now);
    const then = this.played.get(id);
    if (then === undefined) return undefined;
    const passed = now - this.playedAt;
    return { startsInMs: less(then.startsInMs, passed), endsInMs: less(then.endsInMs, passed) };
  }

  private play(now: number): void {
    const deadline = performance.now() + this.budgetMs;
    const servers = this.stations.backends
      .filter(({ usable }) => usable)
      .map((station) => {
        const { name, loaded } = station;
        return { name, loaded, freeInMs: this.runsOn(station, now).freeInMs };
      });
    const line = this.queue.first(Number.POSITIVE_INFINITY);
    this.played = playThrough(line, servers, this.lore, () => performance.now() < deadline);
    this.playedAt = now;
    this.freshMs = line.length * AGE_PER_JOB_MS;
  }

  /** A job that a backend has. */
  private expectOn(backend: string, job: Job, now: number): Expectation | undefined {
    const station = this.stations.backends.find(({ name }) => name === backend);
    if (station === undefined) return undefined;
    const expected = this.runsOn(station, now).jobs.get(job.id);
    const storingMs = this.lore.storingMs(job.shape, backend);
    return expected && { startsInMs: expected.startsInMs, endsInMs: sum(expected.endsInMs, storingMs) };
  }

  /** When a backend begins and ends each of its runs, one after the other; ends without storing. */
  private runsOn(station: Station, now: number) {
    const jobs = new Map<string, Expectation>();
    let freeInMs: number | undefined = 0;
    for (const { job: id, begunAt, cold } of station.running) {
      const job = this.queue.find(id);
      // What has ended, is on its way into storage, or is tried elsewhere by now is about to leave.
      if (job?.state.status !== 'running' || job.state.backend !== station.name) continue;
      const loadMs = cold ? this.lore.loadMs(job.models) : 0;
      const learnedMs = this.lore.runMs(job.shape, station.name, loadMs);
      const startsInMs = begunAt === undefined ? freeInMs : 0;
      freeInMs = sum(startsInMs, remainingMs(learnedMs, now - (begunAt ?? now), job.state.progress));
      jobs.set(id, { startsInMs, endsInMs: freeInMs });
    }
    return { jobs, freeInMs };
  }
}

function sum(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined || b === undefined ? undefined : a + b;
}

function less(ms: number | undefined, passed: number): number | undefined {
  return ms === undefined ? undefined : Math.max(0, ms - passed);
}

function whole(ms: number | undefined): number | undefined {
  return ms === undefined ? undefined : Math.round(ms);
}
