import { defer, finalize, from, type Observable, of, switchMap } from 'rxjs';

/** One turn at a time: jobs whose nodes may overwrite each other's files take turns, from submission until their files are stored. */
export class Turns {
  private last: Promise<unknown> = Promise.resolve();

  /**
   * Starts the source when its turn has come. Unsubscribing while it waits gives the turn up.
   * @param done resolves when the turn is over, once the source has ended
   * @param waits false: it runs already, and others wait for it
   */
  take<T>(source: Observable<T>, done: Promise<unknown>, waits = true): Observable<T> {
    return defer(() => {
      const before = this.last;
      let end = () => {};
      const ended = new Promise<void>((resolve) => (end = resolve));
      let begun = !waits;
      this.last = Promise.all([before, ended]);
      const turn$ = waits ? from(before) : of(undefined);
      return turn$.pipe(
        switchMap(() => {
          begun = true;
          return source;
        }),
        finalize(() => {
          if (begun) void done.then(end, end);
          else end();
        }),
      );
    });
  }
}
