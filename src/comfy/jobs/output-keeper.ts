import pLimit from 'p-limit';
import type { Storage } from '../../storage/index.js';
import type { Backend } from '../backends/index.js';
import { asBackendError, BackendError, type RunOutput } from '../client/index.js';
import { ComfyError } from '../comfy.error.js';
import { chooseOutputNode, type OutputPlace } from '../workflow/index.js';
import type { JobOutput, JobRequest } from './job.types.js';

/** Files of one job on their way from the backend into storage at the same time. */
const FILES_AT_ONCE = 4;

/** An output that is a file or can become one. */
type FileOutput = Exclude<RunOutput, { form: 'text' }>;

/**
 * Brings a job's files into storage. Where the caller named the node, each file sets out as soon as it is announced,
 * while the backend is still busy with the rest.
 */
export class OutputKeeper {
  private readonly announced: FileOutput[] = [];
  private readonly limit = pLimit(FILES_AT_ONCE);
  private readonly keeping: Promise<PromiseSettledResult<JobOutput>>[] = [];

  constructor(
    private readonly request: JobRequest,
    private readonly backend: Backend,
    private readonly storage: Storage,
    private readonly signal: AbortSignal,
  ) {}

  /** An output the run has announced. Texts have no file. */
  take(output: RunOutput): void {
    if (output.form === 'text') return;
    const { outputNode } = this.request;
    if (outputNode === undefined) this.announced.push(output);
    else if (output.displayNode === outputNode) this.start(output);
  }

  /**
   * All files of the output node, in its order, once the run is over.
   * @throws ComfyError `no_output` · `backend_lost`; StorageError
   */
  async finish(): Promise<JobOutput[]> {
    for (const output of this.chosen()) this.start(output);
    const results = await Promise.all(this.keeping);
    if (results.length === 0) throw noOutput(this.request.outputNode);
    return results.map((result) => {
      if (result.status === 'rejected') throw result.reason;
      return result.value;
    });
  }

  /** Takes back what was stored for a job that was cancelled: no reply will ever name it. */
  async discard(): Promise<void> {
    const results = await Promise.all(this.keeping);
    const kept = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
    await Promise.all(kept.map(({ key }) => this.storage.discard(key)));
  }

  private start(output: FileOutput): void {
    // Settled, so that a failure waits for `finish` without counting as unhandled.
    const settled = Promise.allSettled([this.limit(() => this.keep(output))]);
    this.keeping.push(settled.then(([result]) => result));
  }

  /** Files that wait for a decision, because the caller named no node. */
  private chosen(): FileOutput[] {
    if (this.request.outputNode !== undefined) return [];
    const places = new Map<string, OutputPlace[]>();
    for (const output of this.announced) {
      places.set(output.displayNode, [...(places.get(output.displayNode) ?? []), placeOf(output)]);
    }
    const node = chooseOutputNode(this.request.workflow, places);
    return this.announced.filter((output) => output.displayNode === node);
  }

  private async keep(output: FileOutput): Promise<JobOutput> {
    this.signal.throwIfAborted();
    const { signal } = this;
    const stored =
      output.form === 'memory'
        ? await this.storage.put({ body: output.bytes, size: output.bytes.length, signal })
        : await this.fetch(output);
    const { url, expiresAt } = await this.storage.link(stored);
    return { ...stored, node: output.displayNode, place: placeOf(output), url, expiresAt };
  }

  private async fetch({ file }: FileOutput & { form: 'file' }) {
    const { signal } = this;
    let sourceError: unknown;
    const fetch = async () => {
      const viewed = await this.backend.view(file, signal);
      viewed.body.once('error', (error) => (sourceError = error));
      return viewed;
    };
    try {
      return await this.storage.put({ fetch, filename: file.filename, signal });
    } catch (error) {
      signal.throwIfAborted();
      if (error === sourceError || error instanceof BackendError) throw fetchError(asBackendError(error));
      throw error;
    }
  }
}

function placeOf(output: FileOutput): OutputPlace {
  if (output.form === 'memory') return 'memory';
  return output.file.type === 'temp' || output.file.type === 'input' ? output.file.type : 'output';
}

function fetchError(error: BackendError): ComfyError {
  const message =
    error.status === 404
      ? 'ComfyUI names a file that is not on its disk any more. Run the workflow again.'
      : 'The backend was lost while its files were fetched.';
  return new ComfyError('backend_lost', message, { cause: error });
}

function noOutput(node: string | undefined): ComfyError {
  return new ComfyError(
    'no_output',
    node === undefined
      ? 'The workflow ran, but no node of it made a file.'
      : `The workflow ran, but node ${node} made no file. Name a node that saves one, such as SaveImage.`,
  );
}
