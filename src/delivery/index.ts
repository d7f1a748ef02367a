export { bundle, type Bundle, type BundleFormat } from './bundle/bundle.js';
export { parseByteRange } from './byte-range.js';
export { deliver } from './deliver.js';
export { setSafetyHeaders } from './file-headers.js';
export { unsatisfiable } from './unsatisfiable.js';
