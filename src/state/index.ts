export { StateDatabase } from './state-database.js';
export { StateError } from './state.error.js';
export { StateModule } from './state.module.js';
export type { StateOptions } from './state.module-definition.js';
