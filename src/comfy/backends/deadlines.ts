import { type MonoTypeOperatorFunction, Observable } from 'rxjs';
import type { RunEvent } from '../client/index.js';
import { ComfyError } from '../comfy.error.js';

export interface RunDeadlines {
  /** Milliseconds that a run may take, from the moment ComfyUI begins with it. */
  jobMs: number;
  /**
   * Milliseconds that a run may give no sign after it has begun: neither an event, nor its place among the running prompts of
   * `/queue`.
   */
  stallMs: number;
}

export const RUN_DEADLINES: RunDeadlines = { jobMs: 3_600_000, stallMs: 600_000 };

/**
 * Ends a run that takes too long: the source is unsubscribed, which stops it on the server. Time that a prompt waits in
 * ComfyUI behind another one does not count as its own. A node may be silent for as long as it likes while ComfyUI confirms that
 * the prompt runs: only `jobMs` limits it.
 * @param beginMs milliseconds that it may wait there
 * @throws ComfyError `job_timeout` · `job_stalled`
 */
export function withDeadlines(
  { jobMs, stallMs }: RunDeadlines,
  beginMs: number,
): MonoTypeOperatorFunction<RunEvent> {
  return (source) =>
    new Observable((subscriber) => {
      let total: NodeJS.Timeout | undefined;
      let stall: NodeJS.Timeout | undefined;
      const fail = (code: 'job_timeout' | 'job_stalled', message: string, reason?: 'not_begun') => {
        subscription.unsubscribe();
        subscriber.error(new ComfyError(code, message, reason === undefined ? {} : { reason }));
      };
      const expectSigns = () => {
        clearTimeout(stall);
        stall = setTimeout(
          () =>
            fail(
              'job_stalled',
              `The backend did not confirm for ${seconds(stallMs)} that it runs the job (JOB_STALL_S).`,
            ),
          stallMs,
        );
      };
      // Before the source: a run can end while it is subscribed to.
      subscriber.add(() => {
        clearTimeout(total);
        clearTimeout(stall);
      });
      stall = setTimeout(
        () =>
          fail(
            'job_stalled',
            `The backend did not begin with the job within ${seconds(beginMs)}.`,
            'not_begun',
          ),
        // Node fires at once what is longer.
        Math.min(beginMs, 2 ** 31 - 1),
      );
      const subscription = source.subscribe({
        next: (event) => {
          if (event.type === 'started') {
            total = setTimeout(
              () => fail('job_timeout', `The job took longer than ${seconds(jobMs)} (JOB_TIMEOUT_S).`),
              jobMs,
            );
          }
          if (total !== undefined) expectSigns();
          subscriber.next(event);
        },
        error: (error) => subscriber.error(error),
        complete: () => subscriber.complete(),
      });
      return subscription;
    });
}

function seconds(ms: number): string {
  return `${Math.round(ms / 100) / 10} s`;
}
