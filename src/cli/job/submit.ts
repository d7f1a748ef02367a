import { randomUUID } from 'node:crypto';
import { CliError } from '../cli.error.js';
import type { Api } from '../http/api.js';
import { isEndOfJob, jobFailure } from '../http/problem.js';
import { stringifyJson } from '../workflow/json.js';
import type { Job, Pending, Reply } from './job.types.js';

export interface Submission {
  workflow: unknown;
  outputNode?: string | undefined;
  index?: number | undefined;
  priority?: number | undefined;
}

/**
 * Submits a workflow (`POST /api/generate`) without waiting for its result. Its key makes one job of it, however often it has to be sent.
 * @param patience ends the waits between two tries; `signal` the request itself
 * @throws CliError
 */
export async function submit(
  api: Api,
  { workflow, outputNode, index, priority }: Submission,
  signal: AbortSignal,
  patience: AbortSignal,
): Promise<Pending | Reply> {
  const body = stringifyJson({
    workflow_data: workflow,
    ...(outputNode === undefined ? {} : { output_node_id: outputNode }),
    ...(index === undefined ? {} : { output_index: index }),
    ...(priority === undefined ? {} : { priority }),
  });
  try {
    const { value } = await api.json({
      method: 'POST',
      path: '/api/generate',
      headers: {
        'content-type': 'application/json',
        'idempotency-key': randomUUID(),
        prefer: 'respond-async',
      },
      body: () => body,
      signal,
      patience,
    });
    return value as Pending | Reply;
  } catch (error) {
    // Sent again, it may find that its job has ended meanwhile.
    if (error instanceof CliError && isEndOfJob(error.problem)) throw jobFailure(error.problem);
    throw error;
  }
}

/** Takes a job out of the line, or stops it. @returns how it is now */
export async function cancelJob(api: Api, job: string, signal: AbortSignal, retries?: number): Promise<Job> {
  const { value } = await api.json({
    method: 'POST',
    path: `/api/v2/jobs/${encodeURIComponent(job)}/cancel`,
    signal,
    ...(retries === undefined ? {} : { retries }),
  });
  return value as Job;
}
