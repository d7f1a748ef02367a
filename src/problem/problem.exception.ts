import { HttpException } from '@nestjs/common';
import type { NodeErrors } from '../comfy/index.js';
import { PROBLEMS, type ProblemCode } from './problem.table.js';

/** One field of a request that is not as it should be. */
export interface FieldError {
  /** Path in the body or query, e.g. `output_node_id`. */
  field: string;
  message: string;
}

/** Members beyond the ones every problem has (RFC 9457, 3.2). */
export interface ProblemExtras {
  job_id?: string | undefined;
  /** Where the job can be asked for. */
  job_url?: string | undefined;
  node_errors?: NodeErrors | undefined;
  errors?: FieldError[] | undefined;
  /** What the job had made before it failed. */
  outputs?: object[] | undefined;
  /** Seconds, sent as the `Retry-After` header too. */
  retry_after?: number | undefined;
}

/** Thrown by a face to answer with a problem of the table. */
export class ProblemException extends HttpException {
  constructor(
    readonly code: ProblemCode,
    /** What was wrong here and what to do, in a sentence or two. Reaches the caller as it is. */
    readonly detail: string,
    readonly extras: ProblemExtras = {},
    /** Where it is not the table's: a storage that may come back answers 503 instead of 502. */
    status: number = PROBLEMS[code].status,
  ) {
    super(detail, status);
  }
}
