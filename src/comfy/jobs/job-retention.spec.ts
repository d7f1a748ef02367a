import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import type { Assets } from '../../assets/index.js';
import { StateDatabase } from '../../state/index.js';
import { JobRetention } from './job-retention.js';
import { JobStore } from './job-store.js';
import { Job } from './job.js';

const DAY_MS = 86_400_000;

/** What was done to the assets, in order. */
class FakeAssets {
  readonly done: string[] = [];
  removing: Promise<void> = Promise.resolve();

  async removeOfJob(job: string): Promise<void> {
    this.done.push(`files of ${job}`);
    await this.removing;
  }
  forgetOfJob(job: string): void {
    this.done.push(`records of ${job}`);
  }
  sweep(_now: number, needed: (id: string) => boolean): Promise<number> {
    this.done.push(`sweep, ${String(needed('needed'))}`);
    return Promise.resolve(0);
  }
}

async function open(keepMs: number | undefined, durable: boolean) {
  const folder = await mkdtemp(join(tmpdir(), 'retention-'));
  const database = await StateDatabase.open(durable ? folder : undefined);
  const store = new JobStore(database);
  const assets = new FakeAssets();
  const retention = new JobRetention(store, assets as unknown as Assets, keepMs, (id) => id === 'needed');
  onTestFinished(async () => {
    await retention.stop();
    database.close();
    await rm(folder, { recursive: true });
  });
  const end = (id: string, at: number) => {
    const request = {
      workflow: { '1': { class_type: 'A' } },
      media: [],
      outputNode: undefined,
      allOutputs: false,
      priority: 0,
      caller: '',
    };
    const job = new Job(id, request, 0);
    store.add(job);
    if (at > 0) job.apply({ type: 'cancelled', at });
  };
  return { store, assets, retention, end };
}

describe('JobRetention', () => {
  it('forgets jobs that ended long ago, with their files, and no others', async () => {
    const { store, assets, retention, end } = await open(31 * DAY_MS, true);
    for (let index = 0; index < 60; index += 1) end(`old-${index}`, DAY_MS);
    end('young', 2 * DAY_MS);
    end('waiting', 0);
    await retention.sweep(32.5 * DAY_MS);
    expect(store.list({ limit: 100 }).jobs.map(({ id }) => id)).toEqual(['waiting', 'young']);
    expect(assets.done).toHaveLength(61);
    expect(assets.done.slice(0, 2)).toEqual(['files of old-0', 'files of old-1']);
    expect(assets.done.at(-1)).toBe('sweep, true');
  });

  it('keeps them for ever where it is told so', async () => {
    const { store, retention, end } = await open(undefined, true);
    end('old', 1);
    await retention.sweep(1_000_000 * DAY_MS);
    expect(store.find('old')).toBeDefined();
  });

  it('in memory, forgets what is too much, and leaves the files', async () => {
    const { store, assets, retention, end } = await open(31 * DAY_MS, false);
    for (let index = 1; index <= 1_001; index += 1) end(`job-${index}`, index);
    await retention.sweep(100 * DAY_MS);
    expect(store.find('job-1')).toBeUndefined();
    expect(store.find('job-2')).toBeDefined();
    expect(assets.done).toEqual(['records of job-1', 'sweep, true']);
  });

  it('looks by itself, and stops in the middle when it is told to', async () => {
    const { store, assets, retention, end } = await open(1, true);
    for (const id of ['a', 'b', 'c']) end(id, 1);
    let release = (): void => undefined;
    assets.removing = new Promise((resolve) => (release = resolve));
    retention.start();
    await vi.waitFor(() => expect(assets.done).toEqual(['files of a']));
    const stopped = retention.stop();
    release();
    await stopped;
    expect(assets.done).toEqual(['files of a']);
    expect(store.find('b')).toBeDefined();
  });
});
