import { audioNodes } from './audio-nodes.js';
import { dynamicNodes } from './dynamic-nodes.js';
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
    ...audioNodes,
    ...dynamicNodes,
    ...imageNodes,
    ...loadNodes,
    ...saveNodes,
    ...samplingNodes,
    ...probeNodes,
    ...testNodes,
  }),
);
