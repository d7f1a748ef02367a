import type { JobState, NodeErrors, RunProgress } from '../comfy/index.js';
import {
  type ErrorView,
  type OutputView,
  type ProgressView,
  type TimingsView,
  toErrorView,
  toOutputView,
  toProgressView,
  toTimingsView,
  toWarnings,
  type WarningView,
} from '../job-view/index.js';
import type { WebhookEvent } from './webhook-events.js';

/** Bytes of a payload at most, about: what is longer loses node errors and warnings, then its last outputs. */
export const MAX_PAYLOAD_BYTES = 64 * 1024;

/** What a receiver is told of a job; what it has nothing to say about is absent. */
export interface JobData {
  job_id: string;
  /** Where the job can be asked for; absolute where SERVER_BASE_URL is set. */
  job_url: string;
  status: JobState['status'];
  outputs?: (OutputView & { index: number })[];
  error?: ErrorView;
  /** Branches of the workflow that ComfyUI skipped. */
  node_errors?: NodeErrors;
  warnings?: WarningView[];
  progress?: ProgressView;
  timings?: TimingsView;
  attempts?: number;
  /** Something is left out, because it was too long; `job_url` has all. */
  truncated?: true;
}

/** The body of one delivery, as text, because that is what is signed. */
export function endBody(event: WebhookEvent, state: JobState, baseUrl: string): string {
  const { id, status, outputs, nodeErrors, times, attempts } = state;
  const error = toErrorView(state);
  return bounded(event, times.finished ?? Date.now(), {
    job_id: id,
    job_url: jobUrl(id, baseUrl),
    status,
    ...(status === 'succeeded' || outputs.length > 0
      ? { outputs: outputs.map((output, index) => ({ index, ...toOutputView(output) })) }
      : {}),
    ...(error === undefined ? {} : { error }),
    ...(nodeErrors === undefined ? {} : { node_errors: nodeErrors }),
    ...toWarnings(state),
    timings: toTimingsView(times),
    attempts: attempts.length + 1,
  });
}

/** Of a job that is not remembered any more: whether it came to its end nobody can tell. */
export function goneBody(id: string, baseUrl: string): string {
  const message = 'The job is not remembered any more, and how it ended is not known.';
  return textOf('job.failed', Date.now(), {
    job_id: id,
    job_url: jobUrl(id, baseUrl),
    status: 'failed',
    error: { code: 'not_found', message },
  });
}

export function progressBody(state: JobState, progress: RunProgress, baseUrl: string): string {
  return textOf('job.progress', Date.now(), {
    job_id: state.id,
    job_url: jobUrl(state.id, baseUrl),
    status: state.status,
    progress: toProgressView(progress),
  });
}

function jobUrl(id: string, baseUrl: string): string {
  return `${baseUrl}/api/generate/${id}`;
}

function bounded(event: WebhookEvent, at: number, data: JobData): string {
  const whole = textOf(event, at, data);
  if (fits(whole)) return whole;
  const { node_errors: _, warnings: _warnings, error, ...rest } = data;
  const short: JobData = {
    ...rest,
    ...(error === undefined ? {} : { error: { code: error.code, message: error.message } }),
    truncated: true,
  };
  for (let { outputs = [] } = short; ; outputs = outputs.slice(0, Math.floor(outputs.length / 2))) {
    const text = textOf(event, at, short.outputs === undefined ? short : { ...short, outputs });
    if (fits(text) || outputs.length === 0) return text;
  }
}

function fits(text: string): boolean {
  return Buffer.byteLength(text) <= MAX_PAYLOAD_BYTES;
}

function textOf(type: WebhookEvent, at: number, data: JobData): string {
  return JSON.stringify({ type, timestamp: new Date(at).toISOString(), data });
}
