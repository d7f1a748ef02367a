import type { JobState } from '../comfy/index.js';

/** Something that went wrong and did not end the job, as every face tells of it. */
export interface WarningView {
  code: NonNullable<JobState['warnings']>[number]['code'];
  message: string;
  node_id?: string;
}

/** `{ warnings }` of a job; empty where there are none, so that it can be spread into a reply. */
export function toWarnings({ warnings = [] }: Pick<JobState, 'warnings'>): { warnings?: WarningView[] } {
  if (warnings.length === 0) return {};
  return {
    warnings: warnings.map(({ code, message, node }) => ({
      code,
      message,
      ...(node === undefined ? {} : { node_id: node }),
    })),
  };
}
