import type { Progress, View } from './progress.js';

/** Milliseconds between two lines while nothing but the numbers changes. */
const EVERY_MS = 10_000;

const STEP = 0.25;

/** For logs: a line when something else happens, and now and then in between. */
export function plainLines(write: (text: string) => void): Progress {
  let last: (View & { at: number; topic: string }) | undefined;
  return {
    show({ value, what }) {
      const topic = what.replace(/\d+/g, '');
      const at = performance.now();
      const isNews =
        last === undefined ||
        // Nodes come and go many times a second; with a value it is the value that counts.
        (value === undefined && last.topic !== topic) ||
        (value !== undefined && value >= (last.value ?? -1) + STEP) ||
        (value === 1 && last.value !== 1) ||
        at - last.at >= EVERY_MS;
      if (!isNews) return;
      last = { value, what, at, topic };
      write(value === undefined ? `${what}\n` : `${String(Math.floor(value * 100)).padStart(3)}%  ${what}\n`);
    },
    note: (text) => write(`${text}\n`),
    preview: () => {},
    stop: () => {},
  };
}
