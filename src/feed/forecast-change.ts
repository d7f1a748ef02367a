import type { JobForecast } from '../comfy/index.js';

/** Guesses that moved by less say the same: this many milliseconds, or this part of what was said. */
const LEAST_MS = 1_000;
const LEAST_PART = 0.1;

/** Is a forecast news to somebody who was told another one? A guess that only ticks is not. */
export function forecastChanged(told: JobForecast, now: JobForecast): boolean {
  return (
    told.position !== now.position ||
    guessChanged(told.startsInMs, now.startsInMs) ||
    guessChanged(told.endsInMs, now.endsInMs)
  );
}

function guessChanged(told: number | undefined, now: number | undefined): boolean {
  if (told === undefined || now === undefined) return told !== now;
  return Math.abs(told - now) >= Math.max(LEAST_MS, told * LEAST_PART);
}
