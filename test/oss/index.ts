export type { AccessKey, Scheme } from './authorize.js';
export type { Fault, Faults, FaultTarget } from './faults.js';
export { OssServer, type OssServerOptions, type Seen } from './oss-server.js';
export type { StoredObject } from './stored-object.js';
