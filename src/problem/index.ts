export { ApiProblems } from './api-problems.decorator.js';
export { BODY_PROBLEMS, fieldProblem, hungUp, noBoundary, noSuchJob } from './common-problems.js';
export { ApiContractErrors, contractOf, ErrorEnvelopeDto, toEnvelope } from './contract-envelope.js';
export { FieldErrorDto, NodeErrorDto, NodeErrorsDto, ProblemDto } from './problem.dto.js';
export { type FieldError, ProblemException, type ProblemExtras } from './problem.exception.js';
export { ProblemFilter, sendProblem } from './problem.filter.js';
export { PROBLEMS, type ProblemCode } from './problem.table.js';
export { endProblem, failureToProblem, messageOf } from './to-problem.js';
