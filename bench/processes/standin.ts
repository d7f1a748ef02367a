import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { StandinOptions } from '../../test/comfyui/index.js';
import { end } from '../../test/processes/ending.js';
import type { Answer, Question, Started } from './standin.child.js';

/** A ComfyUI to measure with: the stand-in in a process of its own, or a real one. */
export interface Comfyui {
  url: string;
  close(): Promise<void>;
}

const SCRIPT = fileURLToPath(new URL('./standin.child.ts', import.meta.url));

/** Stand-ins that share a process of their own; they would share our event loop otherwise. */
export class StandinHost {
  private readonly waiting = new Map<number, (answer: Answer) => void>();
  private asked = 0;

  private constructor(
    private readonly child: ChildProcess,
    readonly urls: readonly string[],
  ) {
    child.on('message', (answer: Answer) => {
      this.waiting.get(answer.id)?.(answer);
      this.waiting.delete(answer.id);
    });
  }

  /** Starts one stand-in for each of `options`. */
  static async start(options: readonly StandinOptions[]): Promise<StandinHost> {
    const full = options.map((each) => ({ zeroWork: true, journalSize: 16, ...each }));
    const child = fork(SCRIPT, [JSON.stringify(full, infinities)], { execArgv: ['--import', 'tsx'] });
    const ended = once(child, 'exit').then(() => {
      throw new Error('the stand-in did not start');
    });
    const [{ urls }] = (await Promise.race([once(child, 'message'), ended])) as [Started];
    ended.catch(() => undefined);
    return new StandinHost(child, urls);
  }

  /** How many models each of them had to load so far. */
  async loads(): Promise<number[]> {
    return (await this.ask('loads')).loads;
  }

  /** Cuts every WebSocket of all of them, as a broken network does. */
  async dropSockets(): Promise<void> {
    await this.ask('drop sockets');
  }

  async close(): Promise<void> {
    await end(this.child);
  }

  private ask(ask: Question['ask']): Promise<Answer> {
    this.asked += 1;
    const id = this.asked;
    return new Promise((resolve, reject) => {
      this.waiting.set(id, resolve);
      this.child.send({ id, ask } satisfies Question, (error) => {
        if (error !== null) reject(error);
      });
    });
  }
}

/** Starts one stand-in in a process of its own. */
export async function startStandin(options: StandinOptions): Promise<Comfyui> {
  const host = await StandinHost.start([options]);
  return { url: host.urls[0] ?? '', close: () => host.close() };
}

/** JSON has no Infinity and would make it null; absent, it is the default of every option that may be infinite. */
function infinities(_key: string, value: unknown): unknown {
  return value === Infinity ? undefined : value;
}
