import type { JobState, NodeErrors } from '../comfy/index.js';
import { endProblem } from '../problem/index.js';

/** Why a job did not succeed, as it is told where no problem document is: in events and webhooks. */
export interface ErrorView {
  code: string;
  message: string;
  node_errors?: NodeErrors;
}

/** Undefined where it did, or has not ended yet. */
export function toErrorView(state: Pick<JobState, 'status' | 'failure'>): ErrorView | undefined {
  const problem = endProblem(state);
  if (problem === undefined) return undefined;
  const { code, detail, extras } = problem;
  return {
    code,
    message: detail,
    ...(extras.node_errors === undefined ? {} : { node_errors: extras.node_errors }),
  };
}
