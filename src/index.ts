/** What another Nest application can import: the engine and the storage as modules, and the types they speak. */
export * from './comfy/index.js';
export { parseComfyuiServer, type BackendAddress } from './config/index.js';
export * from './storage/index.js';
