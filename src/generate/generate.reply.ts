import type { JobForecast, JobOutput, JobState } from '../comfy/index.js';
import { toOutputView, toSeeds, toTimingsView, toWarnings } from '../job-view/index.js';
import { endProblem, ProblemException } from '../problem/index.js';
import type { JobWebhookDto } from '../webhooks/index.js';
import type { GenerateReplyDto, PendingReplyDto } from './generate.dto.js';

/**
 * The file that a caller means, in the format that was asked for.
 * @throws ProblemException `no_output` · `conversion_failed`
 */
export function pickOutput(state: JobState, index: number): JobOutput {
  return expectConverted(outputAt(state, index), state);
}

/** @throws ProblemException `no_output` */
export function outputAt({ id, outputs }: JobState, index: number): JobOutput {
  const output = outputs[index];
  if (output !== undefined) return output;
  const count = outputs.length;
  if (count === 0)
    throw new ProblemException('no_output', 'The job made no file and no text.', { job_id: id });
  throw new ProblemException(
    'no_output',
    `The node made ${count === 1 ? 'one file' : `${count} files`}; there is no output_index ${index}. The last is ${count - 1}.`,
    { job_id: id },
  );
}

/** Where the others were converted and this could not be: it is not handed out in the wrong format. */
function expectConverted(output: JobOutput, { id, outputs }: JobState): JobOutput {
  if (output.original !== undefined || outputs.every(({ original }) => original === undefined)) return output;
  throw new ProblemException(
    'conversion_failed',
    `The file that output_index names is no image that could be converted, but ${output.contentType}. Name another, or leave out convert; it is kept: GET /api/v2/assets/${output.id}/content.`,
    { job_id: id },
  );
}

export function toReply(
  state: JobState,
  index: number,
  webhook: JobWebhookDto | undefined,
): GenerateReplyDto {
  const { url, expiresAt } = pickOutput(state, index);
  return {
    url,
    expires_at: expiresAt?.toISOString() ?? null,
    job_id: state.id,
    outputs: state.outputs.map((output, index) => ({ index, ...toOutputView(output) })),
    timings: toTimingsView(state.times),
    attempts: state.attempts.length + 1,
    outputs_via: state.outputsVia ?? 'files',
    ...(state.nodeErrors === undefined ? {} : { node_errors: state.nodeErrors }),
    ...toWarnings(state),
    ...toSeeds(state),
    ...(webhook === undefined ? {} : { webhook }),
  };
}

export function toPending(
  state: JobState,
  { position, startsInMs, endsInMs }: JobForecast,
  url: string,
  webhook: JobWebhookDto | undefined,
): PendingReplyDto {
  return {
    job_id: state.id,
    job_url: url,
    status: state.status as PendingReplyDto['status'],
    progress: state.progress?.value ?? 0,
    ...toSeeds(state),
    ...(position === undefined ? {} : { position }),
    ...(startsInMs === undefined ? {} : { starts_in_ms: startsInMs }),
    ...(endsInMs === undefined ? {} : { ends_in_ms: endsInMs }),
    ...(webhook === undefined ? {} : { webhook }),
  };
}

/** A job that has ended, as a success; or its problem, thrown. */
export function expectSuccess(state: JobState): JobState {
  const { id, outputs } = state;
  const kept = outputs.map((output, index) => ({ index, ...toOutputView(output) }));
  const problem = endProblem(state, { job_id: id, ...(kept.length > 0 ? { outputs: kept } : {}) });
  if (problem !== undefined) throw problem;
  return state;
}
