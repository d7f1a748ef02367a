import { ComfyError } from '../comfy.error.js';
import type { JobAttempt } from './job.types.js';

export interface RetryRules {
  /** Tries at a job altogether. */
  maxAttempts: number;
  /** Milliseconds that a job keeps away from a backend it was lost on; doubles from one try to the next. */
  avoidMs: number;
}

/** What becomes of a job whose try failed. */
export type Verdict =
  | {
      again: false;
      /** It would have been tried again, were it not paid for. */
      paid?: true;
    }
  | Retry;

export interface Retry {
  again: true;
  /** Was it a try? One that did not come about is none. */
  counts: boolean;
  /** Milliseconds for which another backend, if any is there, is the better choice. */
  avoidMs: number;
  /** What its backend has to let go of first. */
  free?: 'cache' | 'models';
}

const GIVE_UP: Verdict = { again: false };

/**
 * The one place that decides about another try. What fails by the job's own doing fails again wherever it runs; what fails
 * by the backend's does not; and a memory that was full may suffice once it is emptied, which is tried once.
 * @param earlier tries at this job before the one that failed now
 * @param paid nodes of a partner may have run, which cost money each time: only the caller may ask for that again
 */
export function judge(
  error: unknown,
  earlier: readonly JobAttempt[],
  rules: RetryRules,
  paid = false,
): Verdict {
  const verdict = judgeUnpaid(error, earlier, rules);
  return verdict.again && paid ? { again: false, paid } : verdict;
}

function judgeUnpaid(error: unknown, earlier: readonly JobAttempt[], rules: RetryRules): Verdict {
  if (!(error instanceof ComfyError)) return GIVE_UP;
  const elsewhere: Verdict = { again: true, counts: true, avoidMs: rules.avoidMs * 2 ** earlier.length };
  // We restarted, and its prompt is not there any more: no doing of the job's, and none of the backend's.
  if (error.reason === 'not_found_again') return { again: true, counts: false, avoidMs: 0 };
  if (earlier.length + 1 >= rules.maxAttempts) return GIVE_UP;
  const before = earlier.some(({ failure }) => failure.code === error.code);
  switch (error.code) {
    case 'job_stalled':
      // Twice is no accident: it would only occupy one backend after the other.
      return before ? GIVE_UP : elsewhere;
    case 'no_backend':
      return elsewhere;
    case 'no_output':
    case 'output_rejected': {
      // The job did its part, and somebody else overwrote or deleted the file: once more, not for ever.
      const again = error.code === 'output_rejected' || error.reason === 'output_gone';
      if (!again || before) return GIVE_UP;
      const free = error.reason === 'output_gone' ? ({ free: 'cache' } as const) : {};
      return { again: true, counts: true, avoidMs: 0, ...free };
    }
    case 'backend_lost':
      // Another backend knows nothing of the cache entry, and this one will know nothing of it either.
      if (error.reason === 'output_gone') return { again: true, counts: true, avoidMs: 0, free: 'cache' };
      return elsewhere;
    case 'node_execution_error':
      // A disk on which a small file finds room, and this one none: that of another backend may have more.
      return error.reason === 'disk' && !before ? elsewhere : GIVE_UP;
    case 'out_of_memory':
      return before ? GIVE_UP : { again: true, counts: true, avoidMs: 0, free: 'models' };
    default:
      return GIVE_UP;
  }
}
