import { setTimeout as delay } from 'node:timers/promises';
import { Logger } from '@nestjs/common';
import type { Assets } from '../../assets/index.js';
import type { JobStore } from './job-store.js';

/** Milliseconds between two looks: where memory is the bound, and where days are. */
const LOOK_IN_MEMORY_MS = 5_000;
const LOOK_AT_FILE_MS = 600_000;

/** Jobs forgotten in one go, between which others get their turn. */
const BATCH = 50;

/** Forgets what has had its time: jobs that ended long ago, with their files, and assets; in memory what is too much. */
export class JobRetention {
  private readonly logger = new Logger(JobRetention.name);
  private readonly stopping = new AbortController();
  private work: Promise<void> = Promise.resolve();

  constructor(
    private readonly store: JobStore,
    private readonly assets: Assets,
    /** Milliseconds that ended jobs are kept; undefined: for ever. */
    private readonly keepMs: number | undefined,
    /** Does a job that has not ended name this asset? */
    private readonly isNeeded: (asset: string) => boolean,
  ) {}

  start(): void {
    this.work = this.run();
  }

  /** Resolves when nothing is being done any more. */
  async stop(): Promise<void> {
    this.stopping.abort();
    await this.work;
  }

  /** One look. @throws StateError */
  async sweep(now: number): Promise<void> {
    for (;;) {
      const ids = this.store.durable ? this.expired(now) : this.store.tooMany().slice(0, BATCH);
      for (const id of ids) {
        if (this.stopping.signal.aborted) return;
        // In memory only what is known of the job is too much; its files are the caller's.
        if (this.store.durable) await this.assets.removeOfJob(id);
        else this.assets.forgetOfJob(id);
        this.store.forget(id);
      }
      if (ids.length < BATCH) break;
      await delay(0);
    }
    this.store.trimWorkflows();
    await this.assets.sweep(now, this.isNeeded, this.stopping.signal);
  }

  private expired(now: number): string[] {
    return this.keepMs === undefined ? [] : this.store.endedBefore(now - this.keepMs, BATCH);
  }

  private async run(): Promise<void> {
    const { signal } = this.stopping;
    const pause = this.store.durable ? LOOK_AT_FILE_MS : LOOK_IN_MEMORY_MS;
    while (!signal.aborted) {
      try {
        await this.sweep(Date.now());
      } catch (error) {
        this.logger.error(`What is too old could not be removed: ${(error as Error).message}`);
      }
      await delay(pause, undefined, { signal, ref: false }).catch(() => undefined);
    }
  }
}
