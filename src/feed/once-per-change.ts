import type { JobChange } from './changes.js';

/**
 * Makes what an encoder makes of a change only once, however many watchers it goes to, and forgets it with the change.
 * Keep the function as long as the encoder's owner.
 */
export function oncePerChange<Change extends JobChange, T extends object>(
  encode: (change: Change, jobId: string) => T,
): (change: Change, jobId: string) => T {
  const made = new WeakMap<object, T>();
  return (change, jobId) => {
    const subject = subjectOf(change);
    const known = made.get(subject);
    if (known !== undefined) return known;
    const fresh = encode(change, jobId);
    made.set(subject, fresh);
    return fresh;
  };
}

/** What is large is the same object also for watchers who missed different things before it. */
function subjectOf(change: JobChange): object {
  switch (change.type) {
    case 'progress':
      return change.progress;
    case 'preview':
      return change.preview;
    case 'output':
      return change.output;
    default:
      return change;
  }
}
