export { type ErrorView, toErrorView } from './error-view.js';
export { type OutputView, toOutputView } from './output-view.js';
export { type ProgressView, toProgressView } from './progress-view.js';
export { DrawnSeedDto, toSeeds } from './seeds-view.js';
export { JobWarningDto } from './warning.dto.js';
export { toWarnings, type WarningView } from './warning-view.js';
export { type TimingsView, toTimingsView } from './timings-view.js';
