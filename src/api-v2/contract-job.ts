import type { JobForecast, JobOutput, JobState, JobStatus } from '../comfy/index.js';
import { toSeeds, toWarnings } from '../job-view/index.js';
import { messageOf } from '../problem/index.js';
import type { JobWebhookDto } from '../webhooks/index.js';
import type { ContractJobDto, ContractOutputDto, ContractProgressDto } from './jobs.dto.js';

export type ContractStatus = ContractJobDto['status'];

/** What the contract calls each station. `storing` is part of running: to its caller a job has not ended before its files are safe. */
const STATUS: Readonly<Record<JobStatus, ContractStatus>> = {
  queued: 'queued',
  running: 'running',
  storing: 'running',
  succeeded: 'succeeded',
  failed: 'failed',
  cancelled: 'canceled',
};

/** Milliseconds for "as long as this server lives": the contract wants a date. */
export const FOR_EVER_MS = 100 * 365 * 86_400_000;

/** What a reply needs to know beside the job. */
export interface ReplyContext {
  /** Before links to files, which have to be absolute: scheme, host and base path. */
  origin: string;
  /** Before links to follow; empty where they are relative to this host. */
  base: string;
  /** Milliseconds that ended jobs are kept; undefined: for ever. */
  retentionMs: number | undefined;
  /** Of the bytes of a job's outputs, by asset, where they are known. */
  hashesOf: (job: string) => ReadonlyMap<string, string>;
}

export function toContractStatus(status: JobStatus): ContractStatus {
  return STATUS[status];
}

/** Stations that the contract calls so; none for what never happens here (`canceling`, `expired`). */
export function fromContractStatus(wanted: ContractStatus): JobStatus[] {
  return (Object.keys(STATUS) as JobStatus[]).filter((status) => STATUS[status] === wanted);
}

/** A job as the contract shows it: the same job that the sync calls wait for. */
export function toContractJob(
  state: JobState,
  forecast: JobForecast,
  context: ReplyContext,
  webhook?: JobWebhookDto,
): ContractJobDto {
  const { id, times, progress, failure } = state;
  const self = `${context.base}/api/v2/jobs/${id}`;
  return {
    id,
    status: STATUS[state.status],
    created_at: isoOf(times.created),
    started_at: times.started === undefined ? null : isoOf(times.started),
    completed_at: times.finished === undefined ? null : isoOf(times.finished),
    expires_at: isoOf(expiryOf(state, context)),
    queue_position: forecast.position ?? null,
    progress: progress === undefined ? null : toContractProgress(progress),
    outputs: toContractOutputs(state, context),
    error: failure === undefined ? null : toContractError(failure),
    metrics: {
      queue_ms: between(times.created, times.started),
      execution_ms: between(times.started, times.rendered),
      storage_ms: between(times.rendered, times.finished),
      total_ms: between(times.created, times.finished),
      starts_in_ms: forecast.startsInMs ?? null,
      ends_in_ms: forecast.endsInMs ?? null,
      attempts: state.attempts.length + 1,
    },
    urls: { self, events: `${self}/events`, cancel: `${self}/cancel` },
    outputs_via: state.outputsVia ?? (times.rendered === undefined ? null : 'files'),
    ...toWarnings(state),
    ...toSeeds(state),
    ...(webhook === undefined ? {} : { webhook }),
  };
}

export function toContractProgress(progress: NonNullable<JobState['progress']>): ContractProgressDto {
  return {
    value: Math.min(1, Math.max(0, progress.value)),
    nodes_done: progress.nodesDone,
    nodes_total: progress.nodesTotal,
    current_node: progress.node ?? null,
    current_node_class: progress.class ?? null,
    step: wholeOf(progress.step),
    steps: wholeOf(progress.steps),
    message: null,
  };
}

function toContractOutputs(state: JobState, context: ReplyContext): ContractOutputDto[] {
  if (state.outputs.length === 0) return [];
  const hashes = context.hashesOf(state.id);
  return state.outputs.map((output) => toContractOutput(output, state, context, hashes.get(output.id)));
}

export function toContractOutput(
  output: JobOutput,
  state: Pick<JobState, 'id' | 'times'>,
  context: ReplyContext,
  hash: string | null = null,
): ContractOutputDto {
  return {
    node_id: output.node,
    name: output.name,
    type: output.type,
    content_type: output.contentType,
    size_bytes: output.size,
    id: output.id,
    hash,
    url: new URL(output.url, `${context.origin}/`).href,
    url_expires_at: output.expiresAt?.toISOString() ?? isoOf(expiryOf(state, context)),
    job_id: state.id,
    ...(output.text === undefined ? {} : { text: output.text }),
    ...(output.original === undefined ? {} : { original: toContractOriginal(output.original, context) }),
  };
}

function toContractOriginal({ id, contentType, size, url }: JobOutput, { origin }: ReplyContext) {
  return { id, content_type: contentType, size_bytes: size, url: new URL(url, `${origin}/`).href };
}

function toContractError(failure: NonNullable<JobState['failure']>) {
  const { code, nodeErrors, at } = failure;
  const [node] = Object.entries(nodeErrors ?? {});
  return {
    code,
    message: messageOf(failure, 'workflow'),
    node_id: node?.[0] ?? at?.node ?? null,
    class_type: node?.[1].class_type ?? null,
    // It names paths of the backend.
    traceback: null,
  };
}

function expiryOf({ times }: Pick<JobState, 'times'>, { retentionMs }: ReplyContext): number {
  return (times.finished ?? times.created) + (retentionMs ?? FOR_EVER_MS);
}

function between(from: number | undefined, to: number | undefined): number | null {
  return from === undefined || to === undefined ? null : Math.max(0, to - from);
}

function wholeOf(value: number | undefined): number | null {
  return value === undefined ? null : Math.round(value);
}

function isoOf(ms: number): string {
  return new Date(ms).toISOString();
}
