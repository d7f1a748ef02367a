import { firstValueFrom, from, of, timeout } from 'rxjs';
import type { NodeClass } from '../client/index.js';
import type { NodeInput } from '../comfy.error.js';
import {
  embeddedForm,
  type EmbeddedForm,
  knownMedia,
  type MediaKind,
  type Workflow,
} from '../workflow/index.js';

/** An input of a loader that holds a file, or says where one is. */
export interface EmbeddedInput extends NodeInput {
  kind: MediaKind;
  form: EmbeddedForm;
  value: string;
}

/** Milliseconds that a submission waits for what a ComfyUI says of its node classes; then only the well-known ones count. */
const ASK_MS = 3_000;

/** Tells which inputs name files: what looks like a URL is one only in an input of a loader. */
export class MediaFinder {
  constructor(private readonly backends: { nodeClass(name: string): Promise<NodeClass | undefined> }) {}

  /** The inputs of loaders that hold a file, or a URL, in place of a name. */
  async embedded(workflow: Workflow): Promise<EmbeddedInput[]> {
    const found: EmbeddedInput[] = [];
    for (const [node, { class_type: classType, inputs = {} }] of Object.entries(workflow)) {
      for (const [input, value] of Object.entries(inputs)) {
        const form = embeddedForm(value);
        if (form === undefined) continue;
        const kind = await this.kindOf(classType, input);
        if (kind !== undefined) found.push({ node, input, kind, form, value: value as string });
      }
    }
    return found;
  }

  /** What an input takes; undefined: it names no file, or nobody knows its class. */
  async kindOf(classType: string, input: string): Promise<MediaKind | undefined> {
    const known = knownMedia(classType, input);
    if (known !== undefined) return known;
    const asked = from(this.backends.nodeClass(classType));
    const found = await firstValueFrom(asked.pipe(timeout({ first: ASK_MS, with: () => of(undefined) })));
    return found?.media.get(input);
  }
}
