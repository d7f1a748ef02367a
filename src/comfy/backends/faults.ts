import { ComfyError, type ComfyErrorReason } from '../comfy.error.js';

/**
 * What an error of a job says about its backend: nothing (`none`); that it works (`works`: a node that fails was run, a workflow that is
 * refused was read); or it asks a question, which only our own health check answers. `device` and `disk`: whether that is broken.
 * `transport`: whether it takes prompts and runs them, asked after several jobs. `stalled`: the same, asked at once.
 */
export type FaultKind = 'none' | 'works' | 'device' | 'disk' | 'transport' | 'stalled';

/** They have been answered, or ask nothing. */
const SETTLED: ReadonlySet<ComfyErrorReason> = new Set([
  'output_gone',
  'struck',
  'deleted',
  'not_found_again',
  'sick',
]);

/** The one place that classifies what an error says about a backend: by code and reason only, never by its words. */
export function classifyFault(error: unknown): FaultKind {
  if (!(error instanceof ComfyError)) return 'none';
  const { code, reason } = error;
  switch (code) {
    case 'no_backend':
    case 'backend_lost':
      if (reason === 'disk') return 'disk';
      return reason !== undefined && SETTLED.has(reason) ? 'none' : 'transport';
    case 'job_stalled':
      return 'stalled';
    case 'node_execution_error':
      return reason === 'device' || reason === 'disk' ? reason : 'works';
    case 'invalid_workflow':
    case 'out_of_memory':
      return 'works';
    default:
      return 'none';
  }
}
