import { setTimeout as sleep } from 'node:timers/promises';
import { ServiceClient } from '../clients/service-client.js';
import { randomFrom } from '../../test/comfyui/media/random.js';
import { type Call, type Ending, nextCall } from './mix.js';

const CALLERS = 16;
/** Longest pause between two calls of one caller; half of it on average, so that the processor is not the limit. Milliseconds. */
const LONGEST_THINK_MS = 800;
const SEED = 20_250_102;
/** What a failing node is answered with. */
const REFUSAL = /: 502 .*node_execution_error/s;

/** How calls ended; `unexpected` are those that ended in another way than they were to. */
export type Count = Record<Ending | 'unexpected', number>;

/** Callers with pauses, who go on until they are told to stop. */
export class Callers {
  /** Since the last `takeCount`. */
  private count = noCount();
  /** The first words of what went wrong, and how often. */
  readonly complaints = new Map<string, number>();
  private readonly random = randomFrom(SEED);

  constructor(private readonly url: string) {}

  /** Calls until `stop`; then everybody gets the answer that is under way, and hangs up for good. */
  async run(stop: AbortSignal): Promise<void> {
    const options = { connections: CALLERS };
    const clients = {
      url: new ServiceClient(this.url, { ...options, answer: 'url' }),
      file: new ServiceClient(this.url, { ...options, answer: 'file' }),
    };
    const caller = async () => {
      while (!stop.aborted) {
        await this.call(clients, nextCall(this.random));
        await sleep(this.random() * LONGEST_THINK_MS, undefined, { signal: stop }).catch(() => undefined);
      }
    };
    await Promise.all(Array.from({ length: CALLERS }, caller));
    await Promise.all([clients.url.close(), clients.file.close()]);
  }

  takeCount(): Count {
    const taken = this.count;
    this.count = noCount();
    return taken;
  }

  private async call(clients: Record<Call['answer'], ServiceClient>, call: Call): Promise<void> {
    const { patienceMs, ending } = call;
    const signal = patienceMs === undefined ? undefined : AbortSignal.timeout(patienceMs);
    let ended: Ending | 'unexpected' = 'answered';
    let complaint = 'answered';
    try {
      await clients[call.answer].run(call.graph, signal);
    } catch (error) {
      complaint = error instanceof Error ? error.message : String(error);
      if (signal?.aborted === true) ended = 'hung up';
      else ended = REFUSAL.test(complaint) ? 'refused' : 'unexpected';
    }
    if (ended === ending) this.count[ended] += 1;
    else {
      this.count.unexpected += 1;
      const words = `${complaint.slice(0, 160)} (to be ${ending})`;
      this.complaints.set(words, (this.complaints.get(words) ?? 0) + 1);
    }
  }
}

const noCount = (): Count => ({ answered: 0, 'hung up': 0, refused: 0, unexpected: 0 });
