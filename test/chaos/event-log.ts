import { appendFileSync } from 'node:fs';
import { join } from 'node:path';

/** What happened when, in a file beside the logs of the service. */
export class EventLog {
  private readonly started = Date.now();
  private readonly path: string;

  constructor(folder: string) {
    this.path = join(folder, 'events.log');
  }

  write(text: string): void {
    const seconds = ((Date.now() - this.started) / 1_000).toFixed(2).padStart(7);
    appendFileSync(this.path, `${new Date().toISOString()} ${seconds}s ${text}\n`);
  }
}
