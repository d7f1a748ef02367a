const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;

/** Milliseconds from each try at a delivery to the next one: eleven tries over about a day. */
export const SCHEDULE_MS: readonly number[] = [
  5 * SECOND,
  30 * SECOND,
  2 * MINUTE,
  10 * MINUTE,
  30 * MINUTE,
  1 * HOUR,
  2 * HOUR,
  4 * HOUR,
  8 * HOUR,
  8 * HOUR,
];

/** Pauses differ by a fifth, so that what failed together is not tried together. */
const JITTER = 0.2;

/**
 * Milliseconds until the next try; undefined: that was the last.
 * @param tries that failed, 1 or more
 * @param random 0 to 1
 */
export function pauseAfter(
  tries: number,
  schedule: readonly number[] = SCHEDULE_MS,
  random: () => number = Math.random,
): number | undefined {
  const pause = schedule[tries - 1];
  return pause === undefined ? undefined : Math.round(pause * (1 + JITTER * (2 * random() - 1)));
}
