import { CliError, type Problem } from '../cli.error.js';
import { EXIT } from '../exit-codes.js';

/**
 * A reply that tells an error, as a problem: a problem document, the envelope of Comfy API v2, or what a proxy in between wrote, whose
 * text tells nothing to anybody and is left out.
 */
export function readProblem(status: number, body: string, retryAfterS: number | undefined): Problem {
  const problem = problemIn(status, body);
  return retryAfterS === undefined ? problem : { retry_after: retryAfterS, ...problem };
}

function problemIn(status: number, body: string): Problem {
  const document = parse(body);
  if (typeof document['code'] === 'string') {
    const { code, detail, title } = document;
    return { ...document, status, code, detail: textOf(detail) ?? textOf(title) ?? code };
  }
  const envelope = document['error'];
  if (isObject(envelope) && typeof envelope['code'] === 'string') {
    const { code, message, details } = envelope;
    return { status, code, detail: textOf(message) ?? code, ...(isObject(details) ? details : {}) };
  }
  return {
    status,
    code: 'no_problem_document',
    detail: `The answer was HTTP ${status}, and not one of a Comfy Sync Server.`,
  };
}

/** What a problem means for the exit code, where it came with the answer to a request and not as the end of a job. */
export function refusal(problem: Problem): CliError {
  const { status = 500 } = problem;
  if (problem.code === 'no_problem_document') {
    return new CliError(
      status < 500 ? EXIT.refused : EXIT.unavailable,
      problem,
      'Is --server (COMFY_SYNC_SERVER) the address of a Comfy Sync Server, with the base path, if it has one?',
    );
  }
  if (status === 429 || status >= 500) return new CliError(EXIT.unavailable, problem, 'Try again later.');
  return new CliError(EXIT.refused, problem, hintOf(problem));
}

/** How a job ended, where not well. */
export function jobFailure(problem: Problem): CliError {
  const { status = 500, code } = problem;
  if (code === 'not_found') {
    return new CliError(
      EXIT.jobFailed,
      { ...problem, detail: 'The server does not know the job any more.' },
      'It was restarted without STATE_DIR, or the job is too old. Run the workflow again.',
    );
  }
  // What ran and made nothing, or was stopped, was not refused.
  const refused = status < 500 && !FAILED.has(code);
  return new CliError(refused ? EXIT.refused : EXIT.jobFailed, problem, hintOf(problem));
}

/** Codes below 500 of jobs that were taken as they came, and failed later. */
const FAILED: ReadonlySet<string> = new Set([
  'no_output',
  'cancelled',
  'conversion_failed',
  'input_unavailable',
]);

/** Does it tell the end of a job, and not a trouble on the way to it? A job that goes on has an address. */
export function isEndOfJob(problem: Problem): boolean {
  return problem.job_id !== undefined && problem.job_url === undefined;
}

function hintOf({ code }: Problem): string | undefined {
  switch (code) {
    case 'unauthorized':
      return 'Give the token with --token or COMFY_SYNC_ADMIN_TOKEN.';
    case 'workflow_format_ui':
      return 'In ComfyUI choose "Workflow > Export (API)" and use that file.';
    case 'output_node_not_found':
      return 'Name one of them with --output-node.';
    case 'no_output':
      return 'Name a node that saves with --output-node; --index counts from 0.';
    case 'invalid_workflow':
      return 'Correct what is named above; what is missing has to be installed on ComfyUI.';
    default:
      return undefined;
  }
}

function parse(body: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(body);
    return isObject(value) ? value : {};
  } catch {
    return {};
  }
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
