import type { Version } from './recording.js';

/** A difference between a recording and the stand-in that we accept, and why. */
export interface Tolerated {
  version: Version;
  recording: string;
  /** As `Difference.where` names it. */
  where: string;
  reason: string;
}

/** All of them. One that no longer occurs fails the test. */
export const TOLERATED: readonly Tolerated[] = [];
