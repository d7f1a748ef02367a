export { buildOpenApi, serveOpenApi } from './openapi.js';
