export { Backend, type BackendRun } from './backend.js';
export { BackendPool } from './backend-pool.js';
