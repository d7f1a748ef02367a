export { BackendError, type BackendFault } from './backend.error.js';
export { asBackendError, type ViewedFile } from './comfy-http.js';
export { CLIENT_LIMITS, ComfyClient, type ClientLimits } from './comfy-client.js';
export type { FileRef } from './messages.js';
export type { FileToUpload } from './multipart.js';
export { notFoundAgainError } from './run.error.js';
export type { RunOutput } from './outputs.js';
export type { RunProgress } from './progress-meter.js';
export type { RunEvent, RunRequest } from './run.types.js';
