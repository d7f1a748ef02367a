import { lastingWarnings, withWarning } from './job-warning.js';
import type { JobAttempt, JobEvent, JobState } from './job.types.js';

/** @param seeds that were drawn for its workflow */
export function initialState(id: string, created: number, seeds: JobState['seeds'] = []): JobState {
  const drawn = seeds.length === 0 ? {} : { seeds };
  return { id, status: 'queued', times: { created }, attempts: [], outputs: [], ...drawn };
}

/** Has the job ended, one way or another? */
export function isFinal({ status }: JobState): boolean {
  return status === 'succeeded' || status === 'failed' || status === 'cancelled';
}

/** The job after an event. Pure; what comes after the end changes nothing, so exactly one end reaches the caller. */
export function reduceJob(state: JobState, event: JobEvent): JobState {
  if (isFinal(state)) return state;
  switch (event.type) {
    case 'started':
      return {
        ...state,
        status: 'running',
        backend: event.backend,
        promptId: event.promptId,
        times: { ...state.times, started: event.at },
      };
    case 'way':
      return { ...state, outputsVia: event.outputsVia };
    case 'accepted':
      return Object.keys(event.nodeErrors).length === 0 ? state : { ...state, nodeErrors: event.nodeErrors };
    case 'progress':
      return { ...state, progress: event.progress };
    case 'preview':
      return { ...state, preview: event.preview };
    case 'output':
      return { ...state, outputs: [...state.outputs, event.output] };
    case 'branch_failed': {
      const warning = { code: 'branch_failed', message: `Another branch failed. ${event.message}` } as const;
      return {
        ...state,
        nodeErrors: { ...state.nodeErrors, ...event.nodeErrors },
        warnings: withWarning(state.warnings, warning),
      };
    }
    case 'warned':
      return { ...state, warnings: withWarning(state.warnings, event.warning) };
    case 'rendered':
      return { ...state, status: 'storing', times: { ...state.times, rendered: event.at } };
    case 'retried':
      return again(state, [...state.attempts, event.attempt]);
    case 'requeued':
      return again(state, state.attempts);
    case 'succeeded':
      return { ...ended(state, event.at), status: 'succeeded', outputs: event.outputs };
    case 'failed':
      return {
        ...ended(state, event.at),
        status: 'failed',
        failure: event.failure,
        outputs: event.outputs ?? [],
      };
    case 'cancelled':
      return { ...ended(state, event.at), status: 'cancelled', outputs: [] };
  }
}

/** As when it was new, but for what it has been through. */
function again(
  { id, times, seeds, outputsVia, warnings }: JobState,
  attempts: readonly JobAttempt[],
): JobState {
  return {
    ...initialState(id, times.created, seeds),
    attempts,
    ...lastingWarnings(warnings),
    ...(outputsVia === undefined ? {} : { outputsVia }),
  };
}

function ended(state: JobState, at: number): JobState {
  const { preview: _, ...rest } = state;
  return { ...rest, times: { ...state.times, finished: at } };
}
