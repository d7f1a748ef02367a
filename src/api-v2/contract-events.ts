import type { JobState } from '../comfy/index.js';
import { type JobChange, oncePerChange } from '../feed/index.js';
import { toWarnings } from '../job-view/index.js';
import { type ReplyContext, toContractOutput, toContractProgress, toContractStatus } from './contract-job.js';

/** Changes of a job as the contract's server-sent events. What is the same for all its readers is written once. */
export class ContractEvents {
  private readonly shared = oncePerChange(toFrame);

  frameOf(change: JobChange, job: JobState, context: ReplyContext): Buffer {
    // Its links depend on where the reader is.
    if (change.type === 'output') return frame('output', toContractOutput(change.output, job, context));
    return this.shared(change, job.id);
  }
}

function toFrame(change: Exclude<JobChange, { type: 'output' }>): Buffer {
  switch (change.type) {
    case 'status': {
      const { status, forecast } = change;
      return frame('status', {
        status: toContractStatus(status),
        queue_position: forecast.position ?? null,
        starts_in_ms: forecast.startsInMs ?? null,
        ends_in_ms: forecast.endsInMs ?? null,
        ...toWarnings(change),
      });
    }
    case 'progress':
      return frame('progress', toContractProgress(change.progress));
    case 'preview': {
      const { node, mime, bytes } = change.preview;
      const data = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64');
      return frame('preview', { node_id: node, content_type: mime, data_base64: data });
    }
    case 'log':
      return frame('log', { level: change.level, message: change.message });
  }
}

function frame(event: string, data: unknown): Buffer {
  return Buffer.from(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
}
