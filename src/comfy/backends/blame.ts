import { ComfyError, type ComfyErrorReason } from '../comfy.error.js';

/**
 * What an error says of the backend: nothing, that it does its work (a node that fails was run, a workflow that is refused
 * was read), that it failed once, or that it will fail again.
 */
export type Blame = 'none' | 'works' | 'fault' | 'severe';

const BLAMELESS: ReadonlySet<ComfyErrorReason> = new Set([
  'output_gone',
  'struck',
  'not_found_again',
  'deleted',
]);

/** The one place that tells a job's own failure from its backend's. */
export function blameOf(error: unknown): Blame {
  if (!(error instanceof ComfyError)) return 'none';
  switch (error.code) {
    case 'no_backend':
      return 'fault';
    case 'backend_lost':
      if (error.reason !== undefined && BLAMELESS.has(error.reason)) return 'none';
      return error.reason === 'sick' ? 'severe' : 'fault';
    case 'job_stalled':
      return error.reason === 'not_begun' ? 'fault' : 'severe';
    case 'node_execution_error':
    case 'invalid_workflow':
    case 'out_of_memory':
      return 'works';
    default:
      return 'none';
  }
}
