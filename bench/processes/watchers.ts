import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { end } from '../../test/processes/ending.js';

const SCRIPT = fileURLToPath(new URL('./watchers.child.ts', import.meta.url));

export type Transport = 'sse' | 'socket.io';

/** What many watchers have seen so far, all together. */
export interface Seen {
  connected: number;
  ended: number;
  previews: number;
}

/** Many watchers of one job, in a process of their own. */
export class Watchers {
  seen: Seen = { connected: 0, ended: 0, previews: 0 };
  private readonly child: ChildProcess;
  private readonly exited: Promise<unknown>;

  constructor(url: string, transport: Transport, job: string, count: number) {
    this.child = fork(SCRIPT, [url, transport, job, String(count)], { execArgv: ['--import', 'tsx'] });
    this.child.on('message', (seen: Seen) => (this.seen = seen));
    this.exited = once(this.child, 'exit');
  }

  /** Resolves when all have seen the end. */
  async done(): Promise<void> {
    await this.exited;
  }

  async close(): Promise<void> {
    await end(this.child);
  }
}
