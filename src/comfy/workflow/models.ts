import type { Workflow } from './workflow.js';

/** What files of weights are called. Told by the value, not by the input's name: extensions have loaders of their own. */
const MODEL_FILE = /\.(safetensors|sft|ckpt|pt|pth|bin|gguf|onnx)$/i;

/** The model files that a workflow loads, each once, sorted. */
export function modelsOf(workflow: Workflow): string[] {
  const models = new Set<string>();
  for (const { inputs = {} } of Object.values(workflow)) {
    for (const value of Object.values(inputs)) {
      if (typeof value === 'string' && MODEL_FILE.test(value)) models.add(value);
    }
  }
  return [...models].sort();
}
