import type { RunOutput } from '../client/index.js';
import { chooseOutputNode, type OutputPlace } from '../workflow/index.js';
import type { JobRequest } from './job.types.js';

export function placeOf(output: RunOutput): OutputPlace {
  if (output.form !== 'file') return 'memory';
  return output.file.type === 'temp' || output.file.type === 'input' ? output.file.type : 'output';
}

/** What ComfyUI calls it. */
export function nameOf(output: RunOutput): string {
  if (output.form === 'file') return output.file.filename;
  return output.form === 'text' ? 'text.txt' : `image.${output.mime === 'image/jpeg' ? 'jpg' : 'png'}`;
}

/** Is it more than shown, or said? A picture that came over the socket counts as saved. */
export function isSaved(output: RunOutput): boolean {
  const place = placeOf(output);
  return output.form !== 'text' && (place === 'output' || place === 'memory');
}

/**
 * Which of the outputs that waited for a decision are wanted, once all are known.
 * @param saved was anything saved that is wanted for certain, besides texts?
 */
export function chosenOf(
  { outputNode, allOutputs, includeTemp = false, workflow }: JobRequest,
  announced: readonly RunOutput[],
  saved: boolean,
): readonly RunOutput[] {
  if (allOutputs || outputNode !== undefined) return saved ? [] : announced;
  const places = placesOf(announced.filter(({ form }) => form !== 'text'));
  const node = chooseOutputNode(workflow, places.size > 0 ? places : placesOf(announced));
  const made = announced.filter(({ displayNode }) => displayNode === node);
  return !includeTemp && made.some(isSaved) ? made.filter((output) => placeOf(output) !== 'temp') : made;
}

function placesOf(outputs: readonly RunOutput[]): Map<string, OutputPlace[]> {
  const places = new Map<string, OutputPlace[]>();
  for (const output of outputs) {
    places.set(output.displayNode, [...(places.get(output.displayNode) ?? []), placeOf(output)]);
  }
  return places;
}
