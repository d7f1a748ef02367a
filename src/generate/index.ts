export { GENERATE_PATHS } from './generate.controller.js';
export { GenerateModule } from './generate.module.js';
export type { GenerateOptions } from './generate.module-definition.js';
