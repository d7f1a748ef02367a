import type { Cli } from '../cli.js';
import type { Api } from '../http/api.js';
import type { Job } from '../job/job.types.js';
import { table } from '../output.js';
import { bytesOf, duration } from '../progress/describe.js';

/** Jobs that the server puts on a page. */
const PAGE = 100;

export interface JobsOptions {
  status?: string;
  limit: number;
}

interface JobList {
  jobs: Job[];
  next_cursor?: string;
}

/** Lists jobs, the newest first. @throws CliError */
export async function listJobs(cli: Cli, { status, limit }: JobsOptions): Promise<void> {
  const api = await cli.api();
  const jobs: Job[] = [];
  let next: string | undefined;
  do {
    const page = await readPage(api, cli.interruption.signal, {
      // One spelling in the contract, another one in the rest of the server.
      status: status?.replaceAll('cancelled', 'canceled'),
      limit: Math.min(PAGE, limit - jobs.length),
      cursor: next,
    });
    jobs.push(...page.jobs);
    next = page.jobs.length === 0 ? undefined : page.next_cursor;
  } while (next !== undefined && jobs.length < limit);
  if (cli.json) return cli.printJson({ jobs, ...(next === undefined ? {} : { next_cursor: next }) });
  if (jobs.length === 0) return cli.print('No jobs.');
  cli.print(...table(['JOB', 'STATUS', 'AGE', 'DONE', 'FILES', 'WHAT'], jobs.map(rowOf)));
}

async function readPage(
  api: Api,
  signal: AbortSignal,
  query: Record<string, string | number | undefined>,
): Promise<JobList> {
  return (await api.json({ path: '/api/v2/jobs', query, signal })).value as JobList;
}

/** Shows one job. @throws CliError */
export async function showJob(cli: Cli, id: string): Promise<void> {
  const api = await cli.api();
  const path = `/api/v2/jobs/${encodeURIComponent(id)}`;
  const { value } = await api.json({ path, signal: cli.interruption.signal });
  const job = value as Job;
  if (cli.json) return cli.printJson(job);
  const lines = [
    `job       ${job.id}`,
    `status    ${job.status}`,
    `created   ${job.created_at}`,
    ...(job.completed_at === null ? [] : [`ended     ${job.completed_at}`]),
    ...(whatOf(job) === '' ? [] : [`now       ${whatOf(job)}`]),
    ...(job.progress === null ? [] : [`done      ${percentOf(job)}`]),
    ...job.outputs.map(
      ({ node_id, size_bytes, url }) => `file      ${url} (node ${node_id}, ${bytesOf(size_bytes)})`,
    ),
  ];
  cli.print(...lines);
}

function rowOf(job: Job): string[] {
  const age = Math.max(0, Math.round((Date.now() - Date.parse(job.created_at)) / 1_000));
  return [job.id, job.status, duration(age), percentOf(job), String(job.outputs.length), whatOf(job)];
}

function percentOf({ status, progress }: Job): string {
  if (status === 'succeeded') return '100%';
  return progress === null ? '' : `${Math.floor(progress.value * 100)}%`;
}

function whatOf({ status, queue_position: position, progress, error }: Job): string {
  if (error !== null) return error.code + (error.node_id === null ? '' : ` at node ${error.node_id}`);
  if (status === 'queued' && position !== null) return `${position} before it`;
  const node = progress?.current_node_class;
  return status === 'running' && typeof node === 'string' ? node : '';
}
