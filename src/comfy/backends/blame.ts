import { ComfyError } from '../comfy.error.js';

/** What an error says of the backend: nothing, that it failed once, or that it will fail again. */
export type Blame = 'none' | 'fault' | 'severe';

/** The one place that tells a job's own failure from its backend's. */
export function blameOf(error: unknown): Blame {
  if (!(error instanceof ComfyError)) return 'none';
  switch (error.code) {
    case 'no_backend':
      return 'fault';
    case 'backend_lost':
      if (error.reason === 'output_gone') return 'none';
      return error.reason === 'sick' ? 'severe' : 'fault';
    case 'job_stalled':
      return 'severe';
    default:
      return 'none';
  }
}
