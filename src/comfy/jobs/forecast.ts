/** When a job will be done, as far as that is known. Guesses from what was seen before, no promises. */
export interface JobForecast {
  /** Jobs before it in line, from 0; undefined where it does not wait. */
  position: number | undefined;
  /** Milliseconds until a backend begins with it; 0 once one has; undefined where nobody can tell. */
  startsInMs: number | undefined;
  /** Milliseconds until its result is there; undefined where nobody can tell, and for jobs that have ended. */
  endsInMs: number | undefined;
}
