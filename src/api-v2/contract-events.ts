import type { JobPreview, JobState } from '../comfy/index.js';
import type { JobChange } from '../feed/index.js';
import { type ReplyContext, toContractOutput, toContractProgress, toContractStatus } from './contract-job.js';

/** Changes of a job as the contract's server-sent events. What is dear to write, and the same for all, is written once. */
export class ContractEvents {
  private readonly previews = new WeakMap<JobPreview, string>();

  frameOf(change: JobChange, job: JobState, context: ReplyContext): string {
    switch (change.type) {
      case 'status': {
        const { status, forecast } = change;
        return frame('status', {
          status: toContractStatus(status),
          queue_position: forecast.position ?? null,
          starts_in_ms: wholeOf(forecast.startsInMs),
          ends_in_ms: wholeOf(forecast.endsInMs),
        });
      }
      case 'progress':
        return frame('progress', toContractProgress(change.progress));
      case 'preview':
        return this.previewFrame(change.preview);
      case 'output':
        return frame('output', toContractOutput(change.output, job, context));
      case 'log':
        return frame('log', { level: change.level, message: change.message });
    }
  }

  private previewFrame(preview: JobPreview): string {
    const known = this.previews.get(preview);
    if (known !== undefined) return known;
    const { node, mime, bytes } = preview;
    const data = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64');
    const written = frame('preview', { node_id: node, content_type: mime, data_base64: data });
    this.previews.set(preview, written);
    return written;
  }
}

function frame(event: string, data: unknown): string {
  return `event: ${event}\ndata: ${JSON.stringify(data)}\n\n`;
}

function wholeOf(value: number | undefined): number | null {
  return value === undefined ? null : Math.round(value);
}
