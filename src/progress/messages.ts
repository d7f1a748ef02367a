import type { JobFailure, JobStatus } from '../comfy/index.js';
import { type JobChange, toOutputView } from '../feed/index.js';
import { failureToProblem } from '../problem/index.js';

/** An event for a client: its name, then its arguments. */
export type Message = readonly [event: string, payload: object, bytes?: Uint8Array];

/** What a client is told of one change; what is not known is null. */
export function toMessages(change: JobChange, jobId: string): readonly Message[] {
  switch (change.type) {
    case 'log':
      return [['log', { job_id: jobId, level: change.level, message: change.message }]];
    case 'status':
      return [...toError(change.status, change.failure, jobId), toStatus(change, jobId)];
    case 'progress': {
      const { value, node, class: classType, step, steps, nodesDone, nodesTotal } = change.progress;
      const payload = {
        job_id: jobId,
        value,
        node_id: node ?? null,
        class_type: classType ?? null,
        step: step ?? null,
        steps: steps ?? null,
        nodes_done: nodesDone,
        nodes_total: nodesTotal,
      };
      return [['progress', payload]];
    }
    case 'preview': {
      const { node, mime, bytes } = change.preview;
      return [['preview', { job_id: jobId, node_id: node, content_type: mime }, bytes]];
    }
    case 'output':
      return [['output', { job_id: jobId, ...toOutputView(change.output) }]];
  }
}

function toStatus({ status, forecast }: JobChange & { type: 'status' }, jobId: string): Message {
  const { position, startsInMs, endsInMs } = forecast;
  const payload = {
    job_id: jobId,
    status,
    position: position ?? null,
    starts_in_ms: startsInMs ?? null,
    ends_in_ms: endsInMs ?? null,
  };
  return ['status', payload];
}

/** Comes just before the status, which is the last that a client hears. */
function toError(status: JobStatus, failure: JobFailure | undefined, jobId: string): Message[] {
  if (failure !== undefined) {
    const { code, detail, extras } = failureToProblem(failure);
    const nodeErrors = extras.node_errors === undefined ? {} : { node_errors: extras.node_errors };
    return [['error', { job_id: jobId, code, message: detail, ...nodeErrors }]];
  }
  if (status !== 'cancelled') return [];
  const message = 'The job was cancelled before it was done.';
  return [['error', { job_id: jobId, code: 'cancelled', message }]];
}
