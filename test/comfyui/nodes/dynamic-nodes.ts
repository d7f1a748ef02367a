import { PythonError, str } from '../python.js';
import type { JsonObject } from '../types.js';
import { firstOf, type NodeClass, number, pictures, text } from './node.js';
import { scale } from './image-nodes.js';

/** Values whose keys begin with `name.`, in the order of the prompt (40a). */
function grown(inputs: JsonObject, name: string): unknown[] {
  return Object.entries(inputs).flatMap(([key, value]) => (key.startsWith(`${name}.`) ? [value] : []));
}

/** Nodes whose inputs depend on what the prompt has: keys with dots in them (40). */
export const dynamicNodes: Record<string, NodeClass> = {
  BatchImagesNode: {
    run(inputs) {
      const images = grown(inputs, 'images');
      if (images.length === 0 || images.length > 50)
        throw new PythonError('TypeError', 'wrong number of images');
      return { outputs: [images.flatMap((each) => pictures(each))] };
    },
  },
  ResizeImageMaskNode: {
    async run(inputs) {
      const batch = pictures(inputs['input']);
      const kind = text(inputs['resize_type']);
      const width = inputs['resize_type.width'];
      if (width === undefined) throw new PythonError('TypeError', `the stand-in does not resize by ${kind}`);
      const { width: w, height: h } = firstOf(batch);
      const height = inputs['resize_type.height'] ?? Math.max(1, Math.round((h * number(width)) / w));
      const method = text(inputs['scale_method']);
      const crop = inputs['resize_type.crop'] === 'center';
      return {
        outputs: [
          await Promise.all(batch.map((each) => scale(each, number(width), number(height), method, crop))),
        ],
      };
    },
  },
  PrimitiveInt: { run: (inputs) => ({ outputs: [inputs['value']] }) },
  /** Any value as text (41). */
  PreviewAny: { run: (inputs) => ({ ui: { text: [str(inputs['source'])] } }) },
};
