import { imageNodes } from './image-nodes.js';
import { loadNodes } from './load-nodes.js';
import type { NodeClass } from './node.js';
import { probeNodes } from './probe-nodes.js';
import { samplingNodes } from './sampling-nodes.js';
import { saveNodes } from './save-nodes.js';
import { testNodes } from './test-nodes.js';

/** Every class that runs for real, by name. */
export const nodeClasses: ReadonlyMap<string, NodeClass> = new Map(
  Object.entries({
    ...imageNodes,
    ...loadNodes,
    ...saveNodes,
    ...samplingNodes,
    ...probeNodes,
    ...testNodes,
  }),
);
