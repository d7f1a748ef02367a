import { CliError, usageError } from '../cli.error.js';
import type { Cli } from '../cli.js';
import { deadline } from '../deadline.js';
import { EXIT } from '../exit-codes.js';
import type { Api } from '../http/api.js';
import { inspectFile, type LocalFile, uploadFile } from '../http/upload.js';
import { submit } from '../job/submit.js';
import { bytesOf } from '../progress/describe.js';
import type { Progress } from '../progress/progress.js';
import { prepareTarget } from '../save/target.js';
import { applyAssignments, type PlacedAssignment, placeAssignments } from '../workflow/apply.js';
import type { Assignment } from '../workflow/assignment.js';
import { isApiFormat, readWorkflow } from '../workflow/workflow.js';
import { finish, type FinishOptions, JobInHand } from './finish.js';

export interface RunOptions extends FinishOptions {
  set?: Assignment[];
  force?: boolean;
  outputNode?: string;
  priority?: number;
  detach?: boolean;
}

/** Runs a workflow, and saves what it makes. @throws CliError */
export async function run(cli: Cli, path: string, options: RunOptions): Promise<void> {
  if (options.detach === true && (options.out !== undefined || options.all === true)) {
    throw usageError(
      '--detach does not wait for files.',
      'Fetch them later, with: comfy-sync wait <job id> --out …',
    );
  }
  const target = await prepareTarget(cli, options);
  const workflow = await readWorkflow(path, cli.process.stdin, cli.interruption.signal);
  const placed = place(workflow, options);
  const files = await inspectFiles(placed);
  const api = await cli.api();
  const progress = await cli.startProgress(options.preview);
  const limit = deadline(options.timeout, cli.interruption.signal);
  const inHand = new JobInHand(cli, api);
  try {
    await inHand.guard(async () => {
      const assets = await uploadAll(api, files, progress, limit.signal);
      const ready = isApiFormat(workflow) ? applyAssignments(workflow, placed, assets) : workflow;
      // Sent is sent: only its answer tells which job Ctrl-C has to cancel. So that is waited for, a moment.
      const sending = inHand.submissionSignal(limit.signal);
      progress.show({ value: undefined, what: 'sending the workflow' });
      const job = await submit(api, { workflow: ready, ...options }, sending, limit.signal);
      inHand.job = job.job_id;
      limit.signal.throwIfAborted();
      if (options.detach === true) {
        progress.stop();
        if (cli.json) cli.printJson(job);
        else cli.print(job.job_id);
        return;
      }
      await finish(cli, api, { job: job.job_id, target, options, progress, signal: limit.signal });
    });
  } finally {
    limit.clear();
  }
}

function place(workflow: unknown, { set = [], force = false }: RunOptions): PlacedAssignment[] {
  if (set.length === 0) return [];
  if (isApiFormat(workflow)) return placeAssignments(workflow, set, force);
  // What it is the server says where it is only sent; with --set nobody asks it.
  const isPage =
    typeof workflow === 'object' &&
    workflow !== null &&
    Array.isArray((workflow as { nodes?: unknown }).nodes);
  throw new CliError(
    EXIT.refused,
    isPage
      ? {
          code: 'workflow_format_ui',
          detail:
            'This is a workflow as the ComfyUI page saves it ("nodes" and "links"); ComfyUI can only run the API format.',
        }
      : {
          code: 'invalid_workflow',
          detail: 'The workflow must be an object of nodes by id, in the API format.',
        },
    'In ComfyUI choose "Workflow > Export (API)" and use that file.',
  );
}

/** The files that are named, each once. */
async function inspectFiles(placed: readonly PlacedAssignment[]): Promise<LocalFile[]> {
  const paths = placed.flatMap(({ value }) => (value.kind === 'file' ? [value.path] : []));
  return Promise.all([...new Set(paths)].map((path) => inspectFile(path)));
}

async function uploadAll(
  api: Api,
  files: readonly LocalFile[],
  progress: Progress,
  signal: AbortSignal,
): Promise<Map<string, string>> {
  const assets = new Map<string, string>();
  for (const file of files) {
    const { path, name, size } = file;
    const show = (sent: number) =>
      progress.show(
        size === undefined || size === 0
          ? { value: undefined, what: `uploading ${name}, ${bytesOf(sent)}` }
          : { value: sent / size, what: `uploading ${name}, ${bytesOf(sent)} of ${bytesOf(size)}` },
      );
    show(0);
    assets.set(path, await uploadFile(api, file, show, signal));
  }
  return assets;
}
