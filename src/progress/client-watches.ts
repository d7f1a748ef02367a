import { fromEvent, type Observable, share, Subscription } from 'rxjs';
import type { Socket } from 'socket.io';
import type { JobChange, JobFeed, Sink } from '../feed/index.js';
import { ProblemException } from '../problem/index.js';
import type { CallerKey } from '../shares/index.js';
import type { Message } from './messages.js';

/** Jobs that one client may watch at a time. */
export const MAX_WATCHES = 100;

/** The jobs that one client watches. */
export class ClientWatches {
  private readonly watches = new Map<string, Subscription>();
  /** One listener, however many watches wait. */
  private readonly drained$: Observable<unknown>;

  constructor(
    private readonly socket: Socket,
    private readonly feed: JobFeed,
    private readonly caller: CallerKey,
    private readonly encode: (change: JobChange, jobId: string) => readonly Message[],
  ) {
    this.drained$ = fromEvent(socket.conn, 'drain').pipe(share());
  }

  /**
   * Begins with the snapshot, also where the job is watched already.
   * @throws ProblemException `not_found` · `too_many_streams`
   */
  add(jobId: string): void {
    this.remove(jobId);
    if (this.watches.size >= MAX_WATCHES) {
      throw new ProblemException('too_many_streams', `One client watches ${MAX_WATCHES} jobs at most.`);
    }
    const watch = this.feed.watch(jobId, this.sinkFor(jobId), this.caller);
    this.watches.set(jobId, watch);
    watch.add(() => {
      if (this.watches.get(jobId) === watch) this.watches.delete(jobId);
    });
  }

  remove(jobId: string): void {
    this.watches.get(jobId)?.unsubscribe();
  }

  clear(): void {
    for (const watch of this.watches.values()) watch.unsubscribe();
  }

  private sinkFor(jobId: string): Sink {
    const { socket, drained$, encode } = this;
    return {
      drained$,
      // One batch on its way to the client and one in line, then it waits: the client decides how fast.
      get ready() {
        return socket.conn['writeBuffer'].length === 0;
      },
      send: (changes) => {
        for (const change of changes) {
          for (const [event, ...args] of encode(change, jobId)) socket.emit(event, ...args);
        }
      },
    };
  }
}
