import { CliError } from '../cli.error.js';
import { EXIT } from '../exit-codes.js';
import type { Api } from '../http/api.js';
import { isEndOfJob, jobFailure } from '../http/problem.js';
import { backoffMs, pause } from '../http/retry.js';
import { readEvents } from './event-stream.js';
import type { JobNews, Pending, Reply } from './job.types.js';

/** Connections in a row that broke before they were of use: then events do not come through, and the job is asked for. */
const USELESS_CONNECTIONS = 3;

/** A connection that lived as long was of use. */
const USEFUL_MS = 5_000;

/** Seconds that an answer may wait for the result; below the limits of common proxies. */
const WAIT_S = 20;

/** Milliseconds that such an answer may take. */
const WAIT_LIMIT_MS = (WAIT_S + 20) * 1_000;

export interface Wanted {
  job: string;
  /** Which of the node's files is meant. */
  index: number | undefined;
}

/**
 * Follows a job to its end, live where events come through, and gets its result.
 * @throws CliError the job's failure; `unavailable` where the server stays away; the reason of the signal
 */
export async function followJob(
  api: Api,
  wanted: Wanted,
  tell: (news: JobNews) => void,
  signal: AbortSignal,
): Promise<Reply> {
  await watch(api, wanted.job, tell, signal);
  return result(api, wanted, tell, signal);
}

/** Reads events until the job has ended, or until it is clear that they do not come through. */
async function watch(
  api: Api,
  job: string,
  tell: (news: JobNews) => void,
  signal: AbortSignal,
): Promise<void> {
  for (let useless = 0; useless < USELESS_CONNECTIONS;) {
    const started = performance.now();
    signal.throwIfAborted();
    try {
      const end = await readEvents(api, job, tell, signal);
      if (end !== 'broke') return;
    } catch (error) {
      if (!(error instanceof CliError)) throw error;
      // Too many watch, the job is gone, a proxy is in the way: whoever asks for the result will be told.
      if (error.exit !== EXIT.unavailable || error.problem.code === 'too_many_streams') return;
    }
    useless = performance.now() - started > USEFUL_MS ? 0 : useless + 1;
    api.notice('The connection broke; following the job again');
    await pause(backoffMs(useless), signal);
  }
}

/** Asks for the result until it is there. */
async function result(
  api: Api,
  { job, index }: Wanted,
  tell: (news: JobNews) => void,
  signal: AbortSignal,
): Promise<Reply> {
  for (;;) {
    try {
      const { status, value } = await api.json({
        path: `/api/generate/${encodeURIComponent(job)}`,
        query: { output_index: index },
        headers: { prefer: `wait=${WAIT_S}` },
        signal,
        answerTimeoutMs: WAIT_LIMIT_MS,
      });
      if (status !== 202) return value as Reply;
      tell(newsOf(value as Pending));
      await pause(backoffMs(0), signal);
    } catch (error) {
      if (!(error instanceof CliError)) throw error;
      const { problem } = error;
      if (isEndOfJob(problem) || problem.code === 'not_found') throw jobFailure(problem);
      // It goes on, says the server: only this wait has ended.
      if (problem.job_url === undefined) throw error;
      await pause((problem.retry_after ?? 2) * 1_000, signal);
    }
  }
}

function newsOf({ status, position, starts_in_ms, ends_in_ms, progress }: Pending): JobNews {
  if (status !== 'running' || progress === 0) {
    return { type: 'status', status, position, startsInMs: starts_in_ms, endsInMs: ends_in_ms };
  }
  return {
    type: 'progress',
    progress: {
      value: progress,
      nodes_done: 0,
      nodes_total: 0,
      current_node: null,
      current_node_class: null,
      step: null,
      steps: null,
    },
  };
}
