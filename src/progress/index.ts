export { ProgressIoAdapter } from './progress-io.adapter.js';
export { ProgressModule } from './progress.module.js';
