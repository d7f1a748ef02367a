export { bundle } from './bundle/bundle.js';
export type { Bundle, BundleFormat } from './bundle/bundle.types.js';
export { parseByteRange } from './byte-range.js';
export { deliver } from './deliver.js';
export { setSafetyHeaders } from './file-headers.js';
export { unsatisfiable } from './unsatisfiable.js';
