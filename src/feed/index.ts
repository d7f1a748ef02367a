export { changesBetween, type JobChange, MAX_PREVIEW_BYTES, type Seen } from './changes.js';
export { FeedModule } from './feed.module.js';
export { JobFeed, MAX_WATCHERS } from './job-feed.js';
export type { JobSnapshot } from './job-snapshot.js';
export { oncePerChange } from './once-per-change.js';
export type { Sink } from './pump.js';
