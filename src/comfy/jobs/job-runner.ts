import { randomUUID } from 'node:crypto';
import { Logger } from '@nestjs/common';
import { from, lastValueFrom, takeUntil, tap } from 'rxjs';
import type { Storage } from '../../storage/index.js';
import type { Assets } from '../../assets/index.js';
import type { Images } from '../../images/index.js';
import type { Backend } from '../backends/index.js';
import type { OutputsVia, RunEvent } from '../client/index.js';
import { ComfyError, type ComfyErrorCode } from '../comfy.error.js';
import {
  inJobFolder,
  jobFolder,
  jobName,
  withCleanNames,
  overSocket,
  type UrlInput,
  wantsSocket,
  type Workflow,
} from '../workflow/index.js';
import { describeError, toFailure } from './failure.js';
import type { Job } from './job.js';
import { isFinal } from './job.reducer.js';
import type { JobEvent, JobFailure, JobOutput, JobRequest } from './job.types.js';
import type { KeepLimits } from './output-fetcher.js';
import { OutputKeeper } from './output-keeper.js';
import { OutputProof } from './output-proof.js';
import { PictureMemory } from './picture-memory.js';
import { judge, type Retry, type RetryRules } from './retry-policy.js';

export interface RunnerOptions {
  /** See `inJobFolder`. */
  jobFolders: boolean;
  /** Delete the prompt from ComfyUI's history once its outputs are safe. */
  deleteHistory: boolean;
  /** How pictures come where a job does not say. */
  outputsVia: OutputsVia;
  retry: RetryRules;
  keep: KeepLimits;
  /** See `KeeperContext`. */
  stripMetadata: boolean;
}

/** One try at a job. */
interface Trial {
  promptId: string;
  /** An earlier process of ours submitted it. */
  adopted: boolean;
  /** The backend has taken the prompt. */
  accepted: boolean;
  /** See `Backend.hasPartnerNodes`; asked once the prompt was taken. */
  partners?: Promise<boolean | undefined>;
  /** Has it none, for certain? Then it can be run again at no cost. */
  free: boolean;
}

/** Ends of a prompt before which its nodes may have made files. */
const SALVAGED: ReadonlySet<ComfyErrorCode> = new Set([
  'node_execution_error',
  'out_of_memory',
  'interrupted',
  'job_timeout',
]);

/** Milliseconds that the end of a job which failed waits for the files that were made before. */
const SALVAGE_MS = 30_000;

/** Makes one try at a job on one backend. */
export class JobRunner {
  private readonly logger = new Logger(JobRunner.name);
  private readonly memory = new PictureMemory();
  private storingNow = 0;

  constructor(
    private readonly storage: Storage,
    private readonly assets: Assets,
    private readonly images: Images,
    private readonly options: RunnerOptions,
  ) {}

  /** Jobs that are rendered, and whose files are not safe yet. */
  get storing(): number {
    return this.storingNow;
  }

  /**
   * Never rejects: if the job ends, it says so itself.
   * @returns what to do where it has not ended; undefined where it has
   */
  async run(job: Job, backend: Backend): Promise<Retry | undefined> {
    // Ours is a UUID too, and one name for the same thing is easier to follow through the logs. But an id runs once
    // only: what is left of an earlier try must not be taken for this one (11b).
    const promptId = job.restored || job.state.attempts.length > 0 ? randomUUID() : job.id;
    job.apply({ type: 'started', at: Date.now(), backend: backend.name, promptId });
    return this.attempt(job, backend, promptId, false);
  }

  /** Goes on with a job that an earlier process of ours gave to this backend. Otherwise as `run`. */
  adopt(job: Job, backend: Backend, promptId: string): Promise<Retry | undefined> {
    return this.attempt(job, backend, promptId, true);
  }

  private async attempt(
    job: Job,
    backend: Backend,
    promptId: string,
    adopted: boolean,
  ): Promise<Retry | undefined> {
    const { request } = job;
    if (request === undefined) return undefined;
    if (request.keysLost && !adopted) {
      job.apply({ type: 'failed', at: Date.now(), failure: toFailure(keysLost()) });
      return undefined;
    }
    const attempt = new AbortController();
    const stop = () => attempt.abort(job.signal.reason);
    job.signal.addEventListener('abort', stop, { once: true });
    const proof = new OutputProof({
      job: job.id,
      attempt: job.state.attempts.length + 1,
      workflow: request.workflow,
    });
    const trial: Trial = { promptId, adopted, accepted: adopted, free: false };
    const keeper = new OutputKeeper({
      proof,
      warn: (warning) => job.apply({ type: 'warned', warning }),
      job: job.id,
      request,
      backend,
      storage: this.storage,
      assets: this.assets,
      images: this.images,
      stripMetadata: this.options.stripMetadata,
      canRunElsewhere: () => trial.free && backend.hasAlternative(),
      signal: attempt.signal,
      limits: this.options.keep,
      memory: this.memory,
      kept: (output) => job.apply({ type: 'output', output }),
    });
    try {
      await this.render(job, request, backend, { keeper, proof }, attempt, trial);
      this.logger.debug(`Job ${job.id} succeeded on ${backend.name}`);
      return undefined;
    } catch (caught) {
      const error = isFinal(job.state) || job.letGo ? caught : await confirmed(job, backend, caught);
      const mayBePaid = trial.accepted || (error instanceof ComfyError && error.reason === 'in_doubt');
      const partners = () => trial.partners ?? backend.hasPartnerNodes(request.workflow);
      const paid = mayBePaid && ((await partners()) ?? request.extraData !== undefined);
      const verdict =
        isFinal(job.state) || job.letGo ? undefined : await this.settle(job, backend, keeper, error, paid);
      if (verdict !== undefined || job.signal.aborted) {
        attempt.abort(error);
        // No reply will ever name what this try has stored, unless it says where the unconverted is.
        const { failure, outputs } = job.state;
        // What a job that failed lists, replies do name; what a try lists that is made again, none will.
        const named = new Set(failure === undefined ? [] : outputs.map(({ id }) => id));
        if (failure?.code !== 'conversion_failed') void keeper.discard(named);
      }
      if (verdict?.counts) {
        job.apply({
          type: 'retried',
          attempt: { backend: backend.name, at: Date.now(), failure: toFailure(error) },
        });
      } else if (verdict !== undefined) job.apply({ type: 'requeued' });
      return verdict;
    } finally {
      keeper.letGo();
      job.signal.removeEventListener('abort', stop);
    }
  }

  private async render(
    job: Job,
    request: JobRequest,
    backend: Backend,
    { keeper, proof }: { keeper: OutputKeeper; proof: OutputProof },
    aborting: AbortController,
    trial: Trial,
  ): Promise<void> {
    const { promptId, adopted } = trial;
    const attempt = job.state.attempts.length + 1;
    let serverId = promptId;
    const named = withCleanNames(request.workflow);
    const folder = this.options.jobFolders ? jobFolder(job.id, attempt, new Date()) : undefined;
    const workflow = folder === undefined ? named : inJobFolder(named, folder);
    let release = () => {};
    const stored = new Promise<void>((resolve) => (release = resolve));
    const swapped = adopted ? undefined : this.choose(job, request, workflow);
    let rendered = false;
    let safe = false;
    let overdue: NodeJS.Timeout | undefined;
    try {
      const run$ = backend
        .run({
          promptId,
          adopted,
          workflow,
          overSocket: swapped,
          inputs: job.inputs ?? [],
          urls: urlsOf(request),
          outputNode: request.outputNode,
          extraData: extraDataOf(request),
          watched$: job.progressWatched$,
          job: job.id,
          models: job.models,
          shape: job.shape,
          folder,
          mark: jobName(job.id, attempt),
          stored,
        })
        .pipe(
          tap((event) => {
            if (event.type === 'accepted') {
              serverId = event.promptId;
              trial.accepted = true;
              // Now, and beside the run: a backend that dies with the job will not answer any more.
              trial.partners = backend.hasPartnerNodes(workflow);
              void trial.partners.then((found) => (trial.free = found === false));
            }
            if (event.type === 'output') keeper.take(event.output);
            if (event.type === 'blocked') keeper.noteBlocked(event.message);
            if (event.type === 'times') proof.noteTimes(event);
            const jobEvent = toJobEvent(event);
            if (jobEvent !== undefined) job.apply(jobEvent);
          }),
          takeUntil(job.ended$),
        );
      await lastValueFrom(run$, { defaultValue: undefined }).catch((error: unknown) => {
        // Another branch failed, and what is wanted was made before.
        if (!failedWhileRunning(error) || !keeper.hasWanted) throw error;
        job.apply({ type: 'branch_failed', nodeErrors: error.nodeErrors ?? {}, message: error.message });
      });
      job.signal.throwIfAborted();
      rendered = true;
      this.storingNow += 1;
      const renderedAt = Date.now();
      job.apply({ type: 'rendered', at: renderedAt });
      overdue = setTimeout(() => aborting.abort(tooSlow()), this.options.keep.totalMs);
      await keeper.originals();
      clearTimeout(overdue);
      job.signal.throwIfAborted();
      safe = true;
      release();
      backend.praise();
      backend.learnStoring(job.shape, Date.now() - renderedAt);
      overdue = setTimeout(() => void keeper.giveUpConverting(), this.options.keep.totalMs);
      const outputs = await keeper.finish();
      job.signal.throwIfAborted();
      job.apply({ type: 'succeeded', at: Date.now(), outputs });
    } catch (error) {
      // What fails while it runs, the backend has seen itself; what fails afterwards is none of its business.
      if (rendered && !safe) backend.blame(error, job.id);
      throw error;
    } finally {
      release();
      clearTimeout(overdue);
      if (rendered) this.storingNow -= 1;
      if (this.options.deleteHistory && !job.letGo) backend.forget(serverId);
    }
  }

  /**
   * The workflow that sends its pictures over the socket, where that is wanted. A job takes that way once: whatever became of the try,
   * frames that get lost must not have it rendered for ever.
   */
  private choose(job: Job, request: JobRequest, workflow: Workflow): Workflow | undefined {
    const { outputNode, outputsVia = this.options.outputsVia } = request;
    const before = job.state.outputsVia;
    if (outputsVia === 'socket' && before === undefined) {
      const swapped = overSocket(workflow, outputNode);
      if (swapped !== undefined) return swapped;
    }
    const way = wantsSocket(workflow, outputNode) ? 'socket' : 'files';
    if (way !== (before ?? 'files')) job.apply({ type: 'way', outputsVia: way });
    return undefined;
  }

  /** What a prompt made before it failed, as far as it can be had in time. Never rejects. */
  private async salvage(keeper: OutputKeeper): Promise<readonly JobOutput[]> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<[]>((resolve) => {
      timer = setTimeout(() => resolve([]), Math.min(SALVAGE_MS, this.options.keep.totalMs));
    });
    try {
      return await Promise.race([keeper.salvage(), late]);
    } finally {
      clearTimeout(timer);
    }
  }

  /** Ends the job, or says that it is tried again. */
  private async settle(
    job: Job,
    backend: Backend,
    keeper: OutputKeeper,
    error: unknown,
    paid: boolean,
  ): Promise<Retry | undefined> {
    const { attempts } = job.state;
    const verdict = judge(error, attempts, this.options.retry, paid);
    const what = `Job ${job.id}: try ${attempts.length + 1} failed on ${backend.name}: ${describeError(error)}`;
    if (!verdict.again) {
      this.logger.warn(what);
      const outputs = failedWhileRunning(error) ? await this.salvage(keeper) : [];
      job.apply({
        type: 'failed',
        at: Date.now(),
        outputs,
        failure: explained(toFailure(error), attempts.length + 1, verdict.paid ?? false),
      });
      return undefined;
    }
    this.logger.warn(`${what}; it is run again`);
    if (verdict.free !== undefined) await backend.free({ models: verdict.free === 'models' });
    return isFinal(job.state) ? undefined : verdict;
  }
}

function extraDataOf({ extraData, pngInfo }: JobRequest): Record<string, unknown> | undefined {
  return pngInfo === undefined ? extraData : { ...extraData, extra_pnginfo: pngInfo };
}

/** Did the prompt itself fail, on a ComfyUI that still hands out what it had made before? */
function failedWhileRunning(error: unknown): error is ComfyError {
  return error instanceof ComfyError && SALVAGED.has(error.code);
}

function urlsOf({ media }: JobRequest): UrlInput[] {
  return media.flatMap(({ node, input, url }) => (url === undefined ? [] : [{ node, input, url }]));
}

function tooSlow(): ComfyError {
  return new ComfyError('backend_lost', 'The files came too slowly from the backend.');
}

function keysLost(): ComfyError {
  return new ComfyError(
    'shutting_down',
    'The server restarted before the job had run, and the API key that came with it is never written down. Send it again.',
  );
}

/** Why it was not tried again, or how often it was. */
function explained(failure: JobFailure, tries: number, paid: boolean): JobFailure {
  const notes = [
    ...(tries === 1 ? [] : [`It was tried ${tries} times.`]),
    ...(paid
      ? ['It was not run again, because it has partner (API) nodes, which may cost money each time.']
      : []),
  ];
  return notes.length === 0 ? failure : { ...failure, message: [failure.message, ...notes].join(' ') };
}

/** What the error amounts to; an end of the job is not kept waiting for that. */
async function confirmed(job: Job, backend: Backend, error: unknown): Promise<unknown> {
  return lastValueFrom(from(backend.confirm(error)).pipe(takeUntil(job.ended$)), { defaultValue: error });
}

function toJobEvent(event: RunEvent): JobEvent | undefined {
  switch (event.type) {
    case 'accepted':
      return { type: 'accepted', nodeErrors: event.nodeErrors };
    case 'way':
    case 'progress':
      return event;
    case 'preview':
      return { type: 'preview', preview: { node: event.node, mime: event.mime, bytes: event.bytes } };
    case 'blocked': {
      const { node, nodeType } = event;
      return {
        type: 'warned',
        warning: {
          code: 'output_blocked',
          node,
          message: `Node ${node} (${nodeType}) was blocked: ${event.message}`,
        },
      };
    }
    case 'started':
    case 'output':
    case 'alive':
    case 'times':
      return undefined;
  }
}
