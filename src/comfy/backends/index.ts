export { Backend, type BackendRules, type BackendRunInfo } from './backend.js';
export type { BackendFailure, BackendPhase } from './condition.js';
export { BackendPool } from './backend-pool.js';
export { CIRCUIT_RULES, type Circuit, type CircuitRules } from './circuit.js';
export { INPUT_SUBFOLDER, type InputFile } from './input-folder.js';
export type { Durations } from './durations.js';
export type { Experience } from './experience.js';
export type { BackendRun } from './start-run.js';
export { RUN_DEADLINES, type RunDeadlines } from './deadlines.js';
