/** What one turn of the event loop does at most: this many, and none that begins after this many milliseconds. */
const TURN_SIZE = 100;
const TURN_MS = 4;

/**
 * Serves many watchers without holding up the event loop: a slice in each turn, in the order in which they came. One who is
 * in line stays where it is, however often something happens meanwhile; it finds the newest when its turn comes.
 */
export class FanOut {
  private readonly line = new Set<() => void>();
  private turn: NodeJS.Immediate | undefined;

  /** @param hurried true: serve at once, because there may be no later turn */
  constructor(private readonly hurried: () => boolean = () => false) {}

  /** @param serve must not throw */
  add(serve: () => void): void {
    if (this.hurried()) {
      this.line.delete(serve);
      return serve();
    }
    this.line.add(serve);
    this.turn ??= setImmediate(() => this.serveSome());
  }

  remove(serve: () => void): void {
    this.line.delete(serve);
  }

  private serveSome(): void {
    const end = performance.now() + TURN_MS;
    let served = 0;
    for (const serve of this.line) {
      this.line.delete(serve);
      serve();
      served += 1;
      if (served === TURN_SIZE || performance.now() > end) break;
    }
    this.turn = this.line.size === 0 ? undefined : setImmediate(() => this.serveSome());
  }
}
