import { type FieldError, ProblemException } from './problem.exception.js';

/** What every operation that reads a body can answer with while the body arrives. */
export const BODY_PROBLEMS = ['request_timeout', 'too_many_requests', 'overloaded'] as const;

/** What is wrong with the fields of a request, every mistake at once. */
export function fieldProblem(...fields: FieldError[]): ProblemException {
  const summary = fields.map(({ field, message }) => `${field}: ${message}`).join('; ');
  return new ProblemException('invalid_request', summary.slice(0, 1_000), { errors: fields.slice(0, 50) });
}

/** Nobody reads it, but in the log. @param job that was made by then */
export function hungUp(job?: string): ProblemException {
  return new ProblemException('cancelled', 'The caller hung up.', job === undefined ? {} : { job_id: job });
}

/** RFC 2046, 5.1.1: without it the parts of a form cannot be told apart. */
export function noBoundary(): ProblemException {
  return new ProblemException('invalid_request', 'The Content-Type of the form names no boundary.');
}

/** A job that was never there, or is forgotten. */
export function noSuchJob(): ProblemException {
  return new ProblemException('not_found', 'There is no such job, or it ended too long ago.');
}
