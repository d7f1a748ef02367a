/**
 * What another Nest application can import: the engine and the storage as modules, the routes that hand out stored
 * files, and the types they speak.
 */
export { type Asset, Assets, AssetsModule } from './assets/index.js';
export * from './comfy/index.js';
export { parseComfyuiServer, type BackendAddress } from './config/index.js';
export { FeedModule, JobFeed, type JobSnapshot } from './feed/index.js';
export { FilesModule } from './files/index.js';
export { type ConvertOptions, ImageError, Images, ImagesModule, type ImagesOptions } from './images/index.js';
export { Outbound, OutboundError, OutboundModule, type OutboundRules } from './outbound/index.js';
export { ProgressIoAdapter, ProgressModule } from './progress/index.js';
export { StateDatabase, StateError, StateModule, type StateOptions } from './state/index.js';
export * from './storage/index.js';
