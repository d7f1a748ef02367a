import { EXIT, type ExitCode } from './exit-codes.js';

/** What went wrong at a node, as the server tells it. */
export interface NodeError {
  class_type?: string;
  errors?: { type?: string; message?: string; details?: string; input?: string }[];
}

/** A problem as the server tells it (RFC 9457, docs/errors.md), or one of our own in the same shape. */
export interface Problem {
  code: string;
  detail: string;
  title?: string;
  /** Of HTTP; absent where no server was asked. */
  status?: number;
  job_id?: string;
  /** Present where the job goes on. */
  job_url?: string;
  node_errors?: Record<string, NodeError>;
  errors?: { field?: string; message?: string }[];
  /** Seconds. */
  retry_after?: number;
}

/** Whatever ends the program other than well: its exit code, what was wrong, and what to do. */
export class CliError extends Error {
  override readonly name = 'CliError';

  constructor(
    readonly exit: ExitCode,
    readonly problem: Problem,
    /** What to do, in a line. */
    readonly hint?: string,
    options?: ErrorOptions,
  ) {
    super(problem.detail, options);
  }

  /** The same, of a job that was known by then. */
  about(job: string): CliError {
    if (this.problem.job_id !== undefined) return this;
    return new CliError(this.exit, { ...this.problem, job_id: job }, this.hint, { cause: this });
  }
}

/** The command is wrong. */
export function usageError(detail: string, hint?: string): CliError {
  return new CliError(EXIT.usage, { code: 'usage', detail }, hint);
}

/** A file of this machine is in the way. */
export function fileError(exit: ExitCode, detail: string, cause?: unknown, hint?: string): CliError {
  return new CliError(exit, { code: 'file_error', detail }, hint, { cause });
}

/** Why a file could not be used, in words. */
export function whyOf(error: unknown): string {
  switch ((error as NodeJS.ErrnoException | null)?.code) {
    case 'ENOENT':
      return 'there is no such file or folder';
    case 'EACCES':
    case 'EPERM':
      return 'permission is denied';
    case 'EISDIR':
      return 'it is a folder';
    case 'ENOTDIR':
      return 'a part of its path is no folder';
    case 'ENOSPC':
      return 'the disk is full';
    case 'EROFS':
      return 'the disk is read-only';
    default:
      return error instanceof Error ? error.message : String(error);
  }
}
