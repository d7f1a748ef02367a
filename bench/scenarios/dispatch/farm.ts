import { BareClient } from '../../clients/bare-client.js';
import type { Client } from '../../clients/client.js';
import { ServiceClient } from '../../clients/service-client.js';
import { leastBusy, roundRobin, type Spread, SpreadClient } from '../../clients/spread-client.js';
import { Service } from '../../processes/service.js';
import { StandinHost } from '../../processes/standin.js';
import { callersOf, type Case, modelNames } from './cases.js';

/** Child processes that share the stand-ins of a case. */
const HOSTS = 2;
/** Connections of a hand-written client to one ComfyUI: none of its jobs waits for one. */
const CONNECTIONS = 32;

/** Several ComfyUIs that hold one model each, and everybody who wants to send jobs to them. */
export interface Farm {
  contestants: readonly Client[];
  /** Lets all of them forget models and results, as if they had just been started. */
  chill(): Promise<void>;
  /** Models loaded so far, by all of them. */
  loads(): Promise<number>;
}

/** A farm while `play` lasts; everything is closed again, whatever happens. */
export async function onFarm<T>(which: Case, play: (farm: Farm) => Promise<T>): Promise<T> {
  const closing: (() => Promise<void>)[] = [];
  const keep = <C extends { close(): Promise<void> }>(opened: C): C => {
    closing.unshift(() => opened.close());
    return opened;
  };
  try {
    const { backends, jobMs, loadMs } = which;
    const standin = {
      stepDelayMs: jobMs,
      modelLoadMs: loadMs,
      modelsInMemory: 1,
      checkpoints: modelNames(which),
    };
    const hosts: StandinHost[] = [];
    for (let index = 0; index < HOSTS; index += 1) {
      const share = Math.floor((backends + index) / HOSTS);
      hosts.push(keep(await StandinHost.start(Array.from({ length: share }, () => standin))));
    }
    const urls = hosts.flatMap((host) => host.urls);
    const spread = async (name: string, rule: Spread) => {
      const clients: BareClient[] = [];
      for (const url of urls) {
        clients.push(keep(await BareClient.connect(url, { connections: CONNECTIONS, jobFolders: true })));
      }
      return new SpreadClient(name, clients, rule);
    };
    const service = keep(await Service.start(urls.join(',')));
    // Whoever comes by chance may be one more than the callers that are there at once.
    const connections = callersOf(which) * 2;
    const contestants = [
      await spread('round-robin', roundRobin()),
      await spread('least busy', leastBusy()),
      keep(new ServiceClient(service.url, { answer: 'url', connections })),
    ];
    return await play({
      contestants,
      chill: async () => void (await Promise.all(urls.map(free))),
      loads: async () => {
        const loads = await Promise.all(hosts.map((host) => host.loads()));
        return loads.flat().reduce((sum, each) => sum + each, 0);
      },
    });
  } finally {
    for (const close of closing) await close();
  }
}

async function free(url: string): Promise<void> {
  const body = JSON.stringify({ unload_models: true, free_memory: true });
  const answer = await fetch(`${url}/free`, { method: 'POST', body, signal: AbortSignal.timeout(10_000) });
  await answer.arrayBuffer();
  if (!answer.ok) throw new Error(`POST /free: ${answer.status}`);
}
