import type { Workflow } from './workflow.js';

/** What files of weights are called. Told by the value, not by the input's name: extensions have loaders of their own. */
const MODEL_FILE = /\.(safetensors|sft|ckpt|pt|pth|bin|gguf|onnx)$/i;

/** Does this value of an input name a file of weights? */
export function isModelFile(value: string): boolean {
  return MODEL_FILE.test(value);
}

/** The model files that a workflow loads, each once, sorted. */
export function modelsOf(workflow: Workflow): string[] {
  const models = new Set<string>();
  for (const { inputs = {} } of Object.values(workflow)) {
    for (const value of Object.values(inputs)) {
      if (typeof value === 'string' && isModelFile(value)) models.add(value);
    }
  }
  return [...models].sort();
}
