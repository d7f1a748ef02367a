import type { JobChange } from '../feed/index.js';
import { toErrorView, toOutputView, toProgressView, toWarnings } from '../job-view/index.js';

/** An event for a client: its name, then its arguments. */
export type Message = readonly [event: string, payload: object, bytes?: Uint8Array];

/** What a client is told of one change; what is not known is null. */
export function toMessages(change: JobChange, jobId: string): readonly Message[] {
  switch (change.type) {
    case 'log':
      return [['log', { job_id: jobId, level: change.level, message: change.message }]];
    case 'status':
      return [...toError(change, jobId), toStatus(change, jobId)];
    case 'progress':
      return [['progress', { job_id: jobId, ...toProgressView(change.progress) }]];
    case 'preview': {
      const { node, mime, bytes } = change.preview;
      return [['preview', { job_id: jobId, node_id: node, content_type: mime }, bytes]];
    }
    case 'output':
      return [['output', { job_id: jobId, ...toOutputView(change.output) }]];
  }
}

function toStatus(change: JobChange & { type: 'status' }, jobId: string): Message {
  const { status, forecast } = change;
  const { position, startsInMs, endsInMs } = forecast;
  const payload = {
    job_id: jobId,
    status,
    position: position ?? null,
    starts_in_ms: startsInMs ?? null,
    ends_in_ms: endsInMs ?? null,
    ...toWarnings(change),
  };
  return ['status', payload];
}

/** Comes just before the status, which is the last that a client hears. */
function toError(change: JobChange & { type: 'status' }, jobId: string): Message[] {
  const error = toErrorView(change);
  return error === undefined ? [] : [['error', { job_id: jobId, ...error }]];
}
