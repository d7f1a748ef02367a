import { type FieldError, ProblemException } from './problem.exception.js';

/** What is wrong with the fields of a request, every mistake at once. */
export function fieldProblem(...fields: FieldError[]): ProblemException {
  const summary = fields.map(({ field, message }) => `${field}: ${message}`).join('; ');
  return new ProblemException('invalid_request', summary.slice(0, 1_000), { errors: fields.slice(0, 50) });
}

/** A job that was never there, or is forgotten. */
export function noSuchJob(): ProblemException {
  return new ProblemException('not_found', 'There is no such job, or it ended too long ago.');
}
