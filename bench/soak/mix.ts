import { blocker, failing, type Graph, largeFile, slowPicture, tinyPicture } from '../workflows.js';

/** How a call is to end. */
export type Ending = 'answered' | 'hung up' | 'refused';

/** One call of a caller. */
export interface Call {
  graph: Graph;
  answer: 'url' | 'file';
  ending: Ending;
  /** When the caller hangs up, ms after calling. */
  patienceMs?: number;
}

const LARGE_BYTES = 8 * 1024 * 1024;
/** A slow picture: steps of 100 ms. */
const SLOW_STEPS = 10;

/**
 * Mostly small pictures; the rest is rare enough that two ComfyUIs keep up with it: a slow picture holds one for a
 * second, and at thirty calls a second the large files are about 80 MB a minute.
 */
const KINDS: readonly { part: number; make: (random: () => number) => Call }[] = [
  { part: 0.005, make: () => ({ graph: largeFile(LARGE_BYTES), answer: 'file', ending: 'answered' }) },
  { part: 0.02, make: () => ({ graph: slowPicture(SLOW_STEPS), answer: 'url', ending: 'answered' }) },
  {
    part: 0.03,
    // Some of them still wait in line, others are under way.
    make: (random) => ({
      graph: blocker(),
      answer: 'url',
      ending: 'hung up',
      patienceMs: Math.round(20 + random() * 300),
    }),
  },
  { part: 0.01, make: () => ({ graph: failing(), answer: 'url', ending: 'refused' }) },
];

/** The next call, by chance. */
export function nextCall(random: () => number): Call {
  let left = random();
  const kind = KINDS.find(({ part }) => (left -= part) < 0);
  return (
    kind?.make(random) ?? {
      graph: tinyPicture(),
      answer: random() < 0.5 ? 'url' : 'file',
      ending: 'answered',
    }
  );
}
