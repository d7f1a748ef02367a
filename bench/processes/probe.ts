import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { end } from '../../test/processes/ending.js';

const SCRIPT = fileURLToPath(new URL('./probe.child.ts', import.meta.url));

/**
 * Asks the service again and again whether it is alive. What it needs for the answer is what its event loop kept the
 * question waiting. In a process of its own, whose event loop has nothing else to do.
 */
export class LiveProbe {
  private readonly child: ChildProcess;

  /** @param hear gets what each probe took, ms */
  constructor(url: string, hear: (ms: number) => void) {
    this.child = fork(SCRIPT, [url], { execArgv: ['--import', 'tsx'] });
    this.child.on('message', hear);
  }

  async close(): Promise<void> {
    await end(this.child);
  }
}
