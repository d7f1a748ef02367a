import { type Observable, of, Subscription } from 'rxjs';
import type { NodeProgress, ProgressFrame } from './messages.js';

/** Milliseconds between two `progress_state` frames that are parsed. */
const PARSE_EVERY_MS = 200;

/**
 * Parses `progress_state` frames while somebody watches, and at most five a second. Each frame repeats the whole workflow, so
 * only the newest one counts: 400 nodes make 32 MB of them in one prompt. It is parsed at once when somebody begins to watch.
 */
export class ProgressStates {
  private readonly subscription = new Subscription();
  private newest: ProgressFrame | undefined;
  private watched = false;
  private timer: NodeJS.Timeout | undefined;

  /**
   * @param watched$ whether somebody watches; the current answer first. Undefined: always
   * @param heard gets the nodes of a frame
   */
  constructor(
    watched$: Observable<boolean> | undefined,
    private readonly heard: (nodes: NodeProgress[]) => void,
  ) {
    this.subscription.add(
      (watched$ ?? of(true)).subscribe((watched) => {
        this.watched = watched;
        this.plan(0);
      }),
    );
  }

  take(frame: ProgressFrame): void {
    this.newest = frame;
    this.plan(PARSE_EVERY_MS);
  }

  close(): void {
    clearTimeout(this.timer);
    this.subscription.unsubscribe();
    this.newest = undefined;
  }

  private plan(ms: number): void {
    if (!this.watched || this.newest === undefined || this.timer !== undefined) return;
    this.timer = setTimeout(() => {
      this.timer = undefined;
      this.parse();
    }, ms);
  }

  private parse(): void {
    const { newest } = this;
    this.newest = undefined;
    if (newest !== undefined && this.watched) this.heard(newest.read());
  }
}
