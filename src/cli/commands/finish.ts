import { createWriteStream } from 'node:fs';
import { CliError } from '../cli.error.js';
import type { Cli } from '../cli.js';
import { EXIT } from '../exit-codes.js';
import type { Api } from '../http/api.js';
import { followJob } from '../job/follow.js';
import type { JobNews, OutputFile, Reply } from '../job/job.types.js';
import { cancelJob } from '../job/submit.js';
import { bytesOf, JobDescription } from '../progress/describe.js';
import type { Progress } from '../progress/progress.js';
import { pipeFile, saveFile } from '../save/download.js';
import { pathIn, type Target } from '../save/target.js';

/** Milliseconds that a command which was told to stop still waits for the server. */
const LAST_WORD_MS = 5_000;

/** How a command ends that waits for a job. */
export interface FinishOptions {
  index?: number;
  out?: string;
  all?: boolean;
  timeout?: number;
  preview: boolean;
}

export interface Finish {
  job: string;
  target: Target;
  options: FinishOptions;
  progress: Progress;
  signal: AbortSignal;
}

/** Waits for a job, saves its files, and says where. @throws CliError */
export async function finish(
  cli: Cli,
  api: Api,
  { job, target, options, progress, signal }: Finish,
): Promise<void> {
  const description = new JobDescription();
  const told = new Set<string>();
  const note = (text: string) => {
    if (!told.has(text)) progress.note(text);
    told.add(text);
  };
  const tell = (news: JobNews) => {
    if (news.type === 'preview') progress.preview(news.bytes);
    else if (news.type === 'log') note(`${news.level}: ${news.message}`);
    else {
      description.hear(news);
      progress.show(description.view());
    }
  };
  const reply = await followJob(api, { job, index: options.index }, tell, signal);
  for (const [id, { class_type: name }] of Object.entries(reply.node_errors ?? {})) {
    progress.note(`ComfyUI skipped the branch of node ${id} (${name ?? 'of no class'}), which it refuses.`);
  }
  for (const { message, node_id: node } of reply.warnings ?? []) {
    note(`warning: ${node === undefined ? '' : `Node ${node}: `}${message}`);
  }
  const { index: meant = 0 } = options;
  const wanted = options.all === true ? reply.outputs : reply.outputs.filter(({ index }) => index === meant);
  const saved = await saveAll(cli, api, { job, target, progress, signal }, wanted);
  progress.stop();
  show(cli, api, reply, target, saved);
}

interface SavedFile {
  index: number;
  path: string;
  size: number;
  content_type: string;
}

async function saveAll(
  cli: Cli,
  api: Api,
  { job, target, progress, signal }: Omit<Finish, 'options'>,
  files: readonly OutputFile[],
): Promise<SavedFile[]> {
  if (target.kind === 'none') return [];
  const saved: SavedFile[] = [];
  for (const { index, filename, size, content_type } of files) {
    const got = (bytes: number) =>
      progress.show({
        value: size === 0 ? 1 : bytes / size,
        what: `fetching ${filename}, ${bytesOf(bytes)} of ${bytesOf(size)}`,
      });
    const file = { job, index };
    const path =
      target.kind === 'folder' ? pathIn(target.path, filename) : 'path' in target ? target.path : '-';
    const bytes = await (target.kind === 'stdout' || target.kind === 'special'
      ? pipeFile(api, file, streamOf(cli, target), cli.unfinished, got, signal)
      : saveFile(api, file, path, cli.unfinished, got, signal));
    saved.push({ index, path, size: bytes, content_type });
  }
  return saved;
}

function streamOf(cli: Cli, target: Target): NodeJS.WritableStream {
  return target.kind === 'special' ? createWriteStream(target.path) : cli.process.stdout;
}

function show(cli: Cli, api: Api, reply: Reply, target: Target, saved: readonly SavedFile[]): void {
  const url = api.absolute(reply.url);
  if (cli.json) {
    const outputs = reply.outputs.map((output) => ({ ...output, url: api.absolute(output.url) }));
    cli.printJson({ ...reply, url, outputs, ...(target.kind === 'none' ? {} : { files: saved }) });
  } else if (target.kind === 'none') cli.print(url);
  else if (target.kind !== 'stdout') cli.write(saved.map(({ path }) => `${path}\n`).join(''));
}

/** The job that a command has submitted or waits for, so that no end of the command forgets it. */
export class JobInHand {
  job: string | undefined;

  constructor(
    private readonly cli: Cli,
    private readonly api: Api,
    /** Does Ctrl-C cancel the job? */
    private readonly own = true,
  ) {}

  /** For the request that submits: it may still be answered when the command is told to stop. */
  submissionSignal(signal: AbortSignal): AbortSignal {
    signal.throwIfAborted();
    const late = new AbortController();
    signal.addEventListener('abort', () => {
      setTimeout(() => late.abort(signal.reason), LAST_WORD_MS).unref();
    });
    return late.signal;
  }

  /** Does the work; what goes wrong names the job, and Ctrl-C cancels it. @throws CliError */
  async guard(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (!(error instanceof CliError)) throw error;
      if (error === this.cli.interruption.signal.reason) throw await this.interrupted(error);
      throw this.goesOn(error);
    }
  }

  private async interrupted(error: CliError): Promise<CliError> {
    const { job } = this;
    if (job === undefined) return error;
    if (!this.own) {
      return new CliError(error.exit, {
        code: 'cancelled',
        detail: 'Stopped waiting; the job goes on.',
        job_id: job,
      });
    }
    this.cli.show({ value: undefined, what: 'cancelling the job' });
    try {
      await cancelJob(this.api, job, AbortSignal.timeout(LAST_WORD_MS), 1);
      return new CliError(error.exit, {
        code: 'cancelled',
        detail: 'Stopped; the job is cancelled.',
        job_id: job,
      });
    } catch (cause) {
      const detail = 'Stopped, but the job could not be cancelled; it may go on.';
      return new CliError(
        error.exit,
        { code: 'cancelled', detail, job_id: job },
        `Cancel it with: comfy-sync cancel ${job}`,
        { cause },
      );
    }
  }

  /** The command gives up; the job does not. */
  private goesOn(error: CliError): CliError {
    const { job } = this;
    if (job === undefined) return error;
    const comeBack = [EXIT.timedOut, EXIT.unavailable].some((exit) => exit === error.exit);
    // What could not be written is still on the server.
    if (!comeBack && error.problem.code !== 'file_error') return error.about(job);
    const { problem } = error;
    const detail = error.exit === EXIT.timedOut ? `${problem.detail} The job goes on.` : problem.detail;
    return new CliError(
      error.exit,
      { ...problem, detail, job_id: job },
      `Come back to it with: comfy-sync wait ${job}`,
      { cause: error },
    );
  }
}
