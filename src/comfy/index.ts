export {
  CLIENT_LIMITS,
  type ClientLimits,
  ComfyClient,
  type OutputsVia,
  type RunEvent,
  type RunOutput,
  type RunProgress,
  type RunRequest,
} from './client/index.js';
export { ComfyError, type ComfyErrorCode, type NodeError, type NodeErrors } from './comfy.error.js';
export { ComfyModule } from './comfy.module.js';
export type { ComfyOptions } from './comfy.module-definition.js';
export { type BackendStatus, ComfyService, type SubmitHooks, type SubmitRequest } from './comfy.service.js';
export { FETCH_LIMITS, type FetchLimits, type FormFile } from './inputs/index.js';
export {
  isFinal,
  type JobEvent,
  type JobFailure,
  type JobFilter,
  type JobForecast,
  type JobOutput,
  type JobPage,
  type JobPreview,
  type JobState,
  type JobStatus,
  type JobTimes,
  type JobUpdate,
  type JobWarning,
  OUTPUT_TYPES,
  type OutputType,
  WARNING_CODES,
  type WarningCode,
} from './jobs/index.js';
export type { Workflow, WorkflowNode } from './workflow/index.js';
export {
  type JsonLimits,
  type JsonScan,
  parseJson,
  scanJson,
  stringifyJson,
  unwrapWorkflow,
} from './workflow/index.js';
