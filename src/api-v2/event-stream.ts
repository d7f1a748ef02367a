import type { Response } from 'express';
import { fromEvent, interval, type Subscription } from 'rxjs';
import type { JobChange, Sink } from '../feed/index.js';
import type { EventIds } from './event-ids.js';

/** Milliseconds of silence after which proxies and clients give a connection up; the official SDK after 45. */
const HEARTBEAT_MS = 15_000;

/** Milliseconds in which a reader has to take something of what waits for it, else its connection is closed. */
const STALLED_MS = 45_000;

/** A response as a stream of server-sent events (WHATWG HTML, 9.2). It takes more when the socket does. */
export class EventStream implements Sink {
  readonly drained$;
  private heartbeat: Subscription | undefined;

  constructor(
    private readonly response: Response,
    private readonly frameOf: (change: JobChange) => Buffer,
    private readonly ids: EventIds,
  ) {
    this.drained$ = fromEvent(response, 'drain');
  }

  /** Sends the headers, if they are not sent: from now on it is no other answer. */
  open(): void {
    const { response } = this;
    if (response.headersSent) return;
    response.writeHead(200, {
      'Content-Type': 'text/event-stream',
      'Cache-Control': 'no-store',
      // nginx would hold events back.
      'X-Accel-Buffering': 'no',
    });
    response.flushHeaders();
    // A reader that stands still would be waited for without end. It can come back, and finds how the job is then.
    response.setTimeout(STALLED_MS, () => response.destroy());
    this.heartbeat = interval(HEARTBEAT_MS).subscribe(() => {
      if (this.ready) response.write(': still here\n\n');
    });
  }

  get ready(): boolean {
    return !this.response.writableNeedDrain;
  }

  send(changes: readonly JobChange[]): void {
    this.open();
    // In one packet, and none of them copied: the same preview goes to a thousand readers.
    this.response.cork();
    for (const change of changes) {
      // Each reader counts its own; the bytes behind the id are shared by all readers.
      this.response.write(`id: ${this.ids.next(change)}\n`);
      this.response.write(this.frameOf(change));
    }
    this.response.uncork();
  }

  /** Nothing more will come. */
  end(): void {
    this.heartbeat?.unsubscribe();
    this.response.end();
  }
}
