export { Dispatcher, noBackend } from './dispatcher.js';
export type { JobForecast } from './forecast.js';
export { Forecaster } from './forecaster.js';
export { InputPreparer } from './input-preparer.js';
export { InProcessQueue } from './in-process.queue.js';
export { Job, type JobUpdate, type WatchOptions } from './job.js';
export { isFinal, reduceJob } from './job.reducer.js';
export { type JobFilter, type JobPage, JobStore } from './job-store.js';
export { JobRetention } from './job-retention.js';
export { JobQueue } from './job-queue.port.js';
export { toFailure } from './failure.js';
export { JobRunner } from './job-runner.js';
export { type JobWarning, lastingWarnings, WARNING_CODES, type WarningCode } from './job-warning.js';
export { OUTPUT_TYPES, type OutputType } from './output-type.js';
export type {
  JobAttempt,
  JobEvent,
  JobFailure,
  JobOutput,
  JobPreview,
  JobRequest,
  JobState,
  JobStatus,
  JobTimes,
} from './job.types.js';
