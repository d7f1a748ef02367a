import type { JobState } from '../comfy/index.js';

/** Milliseconds between two states that differ in progress alone, or in previews alone. */
export const PROGRESS_EVERY_MS = 200;
export const PREVIEW_EVERY_MS = 500;

/**
 * Decides what of a job may be told when. Status, outputs, tries and node errors at once; progress and previews so often at
 * most, the newest in the end. Times are milliseconds of any clock that does not go back.
 */
export class Pacer {
  private told: JobState | undefined;
  private progressAt = -Infinity;
  private previewAt = -Infinity;

  /** @returns what may be told of `state` now; undefined: nothing that was not told already */
  next(state: JobState, now: number): JobState | undefined {
    const { told } = this;
    const urgent = told === undefined || isUrgent(told, state);
    const progress = urgent || now >= this.progressAt + PROGRESS_EVERY_MS ? state.progress : told.progress;
    const preview =
      told === undefined || state.preview === undefined || now >= this.previewAt + PREVIEW_EVERY_MS
        ? state.preview
        : told.preview;
    if (!urgent && progress === told.progress && preview === told.preview) return undefined;
    if (progress !== told?.progress) this.progressAt = now;
    if (preview !== told?.preview) this.previewAt = now;
    this.told = { ...state, progress, preview };
    return this.told;
  }

  /** Milliseconds until what is held back of `state` may be told, ≥ 0; undefined: nothing is. */
  heldFor(state: JobState, now: number): number | undefined {
    const { told } = this;
    const due = [
      ...(state.progress === told?.progress ? [] : [this.progressAt + PROGRESS_EVERY_MS]),
      ...(state.preview === told?.preview ? [] : [this.previewAt + PREVIEW_EVERY_MS]),
    ];
    return due.length === 0 ? undefined : Math.max(0, Math.min(...due) - now);
  }
}

/** The reducer keeps what did not change, so that looking at the reference is enough. */
function isUrgent(told: JobState, state: JobState): boolean {
  return (
    told.status !== state.status ||
    told.attempts !== state.attempts ||
    told.outputs !== state.outputs ||
    told.nodeErrors !== state.nodeErrors
  );
}
