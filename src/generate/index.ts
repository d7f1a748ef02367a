export { GenerateModule } from './generate.module.js';
export type { GenerateOptions } from './generate.module-definition.js';
