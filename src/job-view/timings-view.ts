import type { JobState } from '../comfy/index.js';

/** How long a job was at each station, in milliseconds. */
export interface TimingsView {
  queued_ms: number;
  rendering_ms: number;
  storing_ms: number;
  total_ms: number;
}

/** Of a job that has ended, at whichever station. */
export function toTimingsView({
  created,
  started,
  rendered,
  finished = created,
}: JobState['times']): TimingsView {
  const begun = started ?? finished;
  const made = rendered ?? finished;
  return {
    queued_ms: begun - created,
    rendering_ms: Math.max(0, made - begun),
    storing_ms: finished - made,
    total_ms: finished - created,
  };
}
