import { Logger } from '@nestjs/common';
import { lastValueFrom, takeUntil, tap } from 'rxjs';
import { StorageError, type Storage } from '../../storage/index.js';
import type { Backend } from '../backends/index.js';
import type { RunEvent } from '../client/index.js';
import { ComfyError } from '../comfy.error.js';
import { inJobFolder, jobFolder } from '../workflow/index.js';
import type { Job } from './job.js';
import type { JobEvent, JobFailure, JobRequest } from './job.types.js';
import { OutputKeeper } from './output-keeper.js';

export interface RunnerOptions {
  /** See `inJobFolder`. */
  jobFolders: boolean;
  /** Delete the prompt from ComfyUI's history once its outputs are safe. */
  deleteHistory: boolean;
}

/** Takes one job from a backend to its end. */
export class JobRunner {
  private readonly logger = new Logger(JobRunner.name);

  constructor(
    private readonly storage: Storage,
    private readonly options: RunnerOptions,
  ) {}

  /** Never rejects: however it ends, the job says so. */
  async run(job: Job, backend: Backend): Promise<void> {
    const { request } = job;
    if (request === undefined) return;
    job.apply({ type: 'started', at: Date.now(), backend: backend.name });
    try {
      await this.render(job, request, backend);
      this.logger.debug(`Job ${job.id} succeeded on ${backend.name}`);
    } catch (error) {
      // Cancelled, or ended by the shutdown: that was said already.
      if (job.signal.aborted) return;
      this.logger.warn(`Job ${job.id} failed on ${backend.name}: ${describe(error)}`);
      job.apply({ type: 'failed', at: Date.now(), failure: toFailure(error) });
    }
  }

  private async render(job: Job, request: JobRequest, backend: Backend): Promise<void> {
    // Ours is a UUID too, and one name for the same thing is easier to follow through the logs.
    let promptId = job.id;
    const keeper = new OutputKeeper(request, backend, this.storage, job.signal);
    const workflow = this.options.jobFolders
      ? inJobFolder(request.workflow, jobFolder(job.id, new Date()))
      : request.workflow;
    try {
      await lastValueFrom(
        backend.run({ promptId, workflow, outputNode: request.outputNode }).pipe(
          tap((event) => {
            if (event.type === 'accepted') promptId = event.promptId;
            if (event.type === 'output') keeper.take(event.output);
            const jobEvent = toJobEvent(event);
            if (jobEvent !== undefined) job.apply(jobEvent);
          }),
          takeUntil(job.ended$),
        ),
        { defaultValue: undefined },
      );
      job.signal.throwIfAborted();
      job.apply({ type: 'rendered', at: Date.now() });
      const outputs = await keeper.finish();
      job.signal.throwIfAborted();
      job.apply({ type: 'succeeded', at: Date.now(), outputs });
    } catch (error) {
      if (job.signal.aborted) await keeper.discard();
      throw error;
    } finally {
      if (this.options.deleteHistory) backend.forget(promptId);
    }
  }
}

function toJobEvent(event: RunEvent): JobEvent | undefined {
  switch (event.type) {
    case 'accepted':
      return { type: 'accepted', nodeErrors: event.nodeErrors };
    case 'progress':
      return event;
    case 'preview':
      return { type: 'preview', preview: { node: event.node, mime: event.mime, bytes: event.bytes } };
    case 'started':
    case 'output':
      return undefined;
  }
}

/** What the caller may know of an error. */
export function toFailure(error: unknown): JobFailure {
  if (error instanceof ComfyError) {
    const retryable =
      error.code === 'no_backend' || error.code === 'backend_lost' || error.code === 'shutting_down';
    const { code, message, nodeErrors } = error;
    return { code, message, retryable, ...(nodeErrors === undefined ? {} : { nodeErrors }) };
  }
  if (error instanceof StorageError) {
    return { code: error.code, message: error.message, retryable: error.retryable };
  }
  return { code: 'storage_error', message: 'The result could not be stored.', retryable: false };
}

/** For the log: our own words, and the cause's, which may name addresses. */
function describe(error: unknown): string {
  if (error instanceof StorageError) {
    return `${error.code} (${error.reason}) ${error.message} ${JSON.stringify(error.diagnosis)}`;
  }
  if (!(error instanceof ComfyError))
    return error instanceof Error ? (error.stack ?? error.message) : String(error);
  const cause = error.cause instanceof Error ? `; ${error.cause.message}` : '';
  return `${error.code} ${error.message}${cause}`;
}
