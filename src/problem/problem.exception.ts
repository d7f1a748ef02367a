import { HttpException } from '@nestjs/common';
import { PROBLEMS, type ProblemCode } from './problem.table.js';

/** Members beyond the ones every problem has (RFC 9457, 3.2). */
export interface ProblemExtras {
  job_id?: string;
  job_url?: string;
  node_errors?: unknown;
  errors?: unknown;
  /** Seconds, sent as the `Retry-After` header too. */
  retry_after?: number;
}

/** Thrown by a face to answer with a problem of the table. */
export class ProblemException extends HttpException {
  constructor(
    readonly code: ProblemCode,
    /** What was wrong here and what to do, in a sentence or two. Reaches the caller as it is. */
    readonly detail: string,
    readonly extras: ProblemExtras = {},
  ) {
    super(detail, PROBLEMS[code].status);
  }
}
