import {
  isFinal,
  type JobFailure,
  type JobForecast,
  type JobOutput,
  type JobPreview,
  type JobState,
  type JobStatus,
  type JobWarning,
  type NodeErrors,
  type RunProgress,
} from '../comfy/index.js';
import { forecastChanged } from './forecast-change.js';
import type { JobSnapshot } from './job-snapshot.js';

/** Bytes above which a preview is not passed on: one that large is no preview. */
export const MAX_PREVIEW_BYTES = 1024 * 1024;

/** The last snapshot that a watcher was told of. */
export type Seen = JobSnapshot;

/** One thing that a watcher has to be told. */
export type JobChange =
  | { type: 'log'; level: 'warning'; message: string }
  /** `failure` with the status `failed`; `warnings` with a final status. */
  | {
      type: 'status';
      status: JobStatus;
      forecast: JobForecast;
      failure: JobFailure | undefined;
      warnings?: readonly JobWarning[];
    }
  | { type: 'progress'; progress: RunProgress }
  | { type: 'preview'; preview: JobPreview }
  /** Without a place among the job's outputs: it is known only when all are there. */
  | { type: 'output'; output: JobOutput };

/**
 * What a watcher who saw `seen` has to be told to be up to date; nothing seen: all that matters of the job so far. The
 * final status comes last, since clients stop listening at it.
 */
export function changesBetween(seen: Seen | undefined, snapshot: JobSnapshot): JobChange[] {
  const { state } = snapshot;
  const status = statusChange(seen, snapshot);
  const final = isFinal(state);
  return [
    ...logs(seen?.state, state),
    ...(final ? [] : status),
    ...progressChange(seen?.state, state),
    ...previewChange(seen?.state, state),
    ...newOutputs(seen?.state, state),
    ...(final ? status : []),
  ];
}

function statusChange(seen: Seen | undefined, { state, forecast }: JobSnapshot): JobChange[] {
  const { status, failure, warnings } = state;
  const known = seen?.state.status === status && !forecastChanged(seen.forecast, forecast);
  if (known) return [];
  const told = isFinal(state) && warnings !== undefined ? { warnings } : {};
  return [{ type: 'status', status, forecast, failure, ...told }];
}

function progressChange(seen: JobState | undefined, { progress }: JobState): JobChange[] {
  return progress === undefined || progress === seen?.progress ? [] : [{ type: 'progress', progress }];
}

function previewChange(seen: JobState | undefined, { preview }: JobState): JobChange[] {
  if (preview === undefined || preview === seen?.preview) return [];
  return preview.bytes.length > MAX_PREVIEW_BYTES ? [] : [{ type: 'preview', preview }];
}

function newOutputs(seen: JobState | undefined, { outputs }: JobState): JobChange[] {
  if (outputs === seen?.outputs) return [];
  const known = new Set(seen?.outputs.map(({ key }) => key));
  return outputs.flatMap((output) => (known.has(output.key) ? [] : [{ type: 'output' as const, output }]));
}

function logs(seen: JobState | undefined, { attempts, nodeErrors, warnings = [] }: JobState): JobChange[] {
  const tries = attempts.map(
    ({ failure: { code, message } }, index) =>
      `Try ${index + 1} failed (${code}): ${message.replace(/\.$/, '')}; it is run again.`,
  );
  const skipped = nodeErrors === undefined || nodeErrors === seen?.nodeErrors ? [] : [skips(nodeErrors)];
  const warned = warnings.filter((warning) => seen?.warnings?.includes(warning) !== true);
  const messages = warned.map(({ message, node }) =>
    node === undefined ? message : `Node ${node}: ${message}`,
  );
  return [...tries.slice(seen?.attempts.length ?? 0), ...skipped, ...messages].map((message) => ({
    type: 'log',
    level: 'warning',
    message,
  }));
}

function skips(nodeErrors: NodeErrors): string {
  const nodes = Object.entries(nodeErrors).map(([id, { class_type, errors }]) => {
    const why = errors[0] === undefined ? '' : `: ${errors[0].details || errors[0].message}`;
    return `${id} (${class_type}${why})`;
  });
  return `ComfyUI skips a part of the workflow, because of ${nodes.length === 1 ? 'node' : 'the nodes'} ${nodes.join(', ')}.`;
}
