import { setMaxListeners } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { LiveProbe } from '../processes/probe.js';
import { Service } from '../processes/service.js';
import { StandinHost } from '../processes/standin.js';
import { Callers } from './callers.js';
import { sweep } from './sweeper.js';
import type { Soak } from './verdict.js';
import { type Sample, Watcher } from './watcher.js';

const BACKENDS = 2;
const WARM_UP_PART = 0.5;
const WARM_UP_MAX_MS = 60_000;
const SAMPLE_EVERY_MS = 2_000;
const SWEEP_EVERY_MS = 10_000;
const DROP_EVERY_MS = 20_000;
/** Without load before handles are counted: the service keeps connections to ComfyUI for ten seconds in case it needs them again. */
const IDLE_MS = 15_000;

export interface SoakRun extends Soak {
  complaints: ReadonlyMap<string, number>;
}

/**
 * The service in front of two stand-ins, under load. Everything is closed again, whatever happens.
 * @param stop ends it early, with an AbortError
 */
export async function soak(
  minutes: number,
  stop: AbortSignal,
  note: (text: string) => void,
): Promise<SoakRun> {
  const closing: (() => Promise<void>)[] = [];
  const keep = <C extends { close(): Promise<void> }>(opened: C): C => {
    closing.unshift(() => opened.close());
    return opened;
  };
  try {
    const hosts: StandinHost[] = [];
    const folders: string[] = [];
    for (let index = 0; index < BACKENDS; index += 1) {
      const dataDir = await mkdtemp(join(tmpdir(), 'comfy-sync-soak-'));
      closing.unshift(() => rm(dataDir, { recursive: true, force: true }));
      folders.push(join(dataDir, 'output'));
      hosts.push(keep(await StandinHost.start([{ dataDir }])));
    }
    const service = keep(await Service.start(hosts.flatMap(({ urls }) => urls).join(',')));
    folders.push(service.outputDir);
    stop.throwIfAborted();
    const callers = new Callers(service.url);
    const watcher = new Watcher(service.pid, callers);
    keep(new LiveProbe(service.url, (ms) => watcher.hear(ms)));

    const load = async (forMs: number, name: string): Promise<Sample[]> => {
      const done = new AbortController();
      const over = AbortSignal.any([stop, done.signal]);
      const samples: Sample[] = [];
      watcher.begin();
      setMaxListeners(0, over);
      const helpers = Promise.all([
        callers.run(over),
        every(SWEEP_EVERY_MS, over, async () => void (await Promise.all(folders.map(sweep)))),
        every(DROP_EVERY_MS, over, async (turn) => hosts[turn % hosts.length]?.dropSockets()),
      ]);
      // It is waited for below, where nobody hears of it as long as we measure.
      helpers.catch(() => undefined);
      try {
        const end = performance.now() + forMs;
        for (let left = forMs; left > 0; left = end - performance.now()) {
          note(`soak: ${name}, ${Math.ceil(left / 1_000)} s to go`);
          await sleep(Math.min(left, SAMPLE_EVERY_MS), undefined, { signal: stop });
          samples.push(await watcher.sample());
        }
      } finally {
        done.abort();
        await helpers;
      }
      return samples;
    };
    const idle = async () => {
      note('soak: no load');
      await sleep(IDLE_MS, undefined, { signal: stop });
      return (await watcher.sample()).fds;
    };

    const forMs = minutes * 60_000;
    await load(Math.min(forMs * WARM_UP_PART, WARM_UP_MAX_MS), 'warming up');
    const before = await idle();
    const samples = await load(forMs, 'under load');
    const after = await idle();
    return { minutes, samples, idleFds: [before, after], complaints: callers.complaints };
  } finally {
    for (const close of closing) await close();
  }
}

/** Does something again and again; what goes wrong is somebody else's to notice. */
async function every(ms: number, over: AbortSignal, act: (turn: number) => Promise<void> | undefined) {
  for (let turn = 0; !over.aborted; turn += 1) {
    await sleep(ms, undefined, { signal: over }).catch(() => undefined);
    if (!over.aborted) await act(turn)?.catch(() => undefined);
  }
}
