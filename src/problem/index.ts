export { PROBLEMS, type ProblemCode } from './problem.table.js';
export { ProblemException, type ProblemExtras } from './problem.exception.js';
