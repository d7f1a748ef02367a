import { firstValueFrom, forkJoin, from, of, timeout } from 'rxjs';
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

/** Classes that one submission asks a ComfyUI about; a workflow has a dozen that are not well known. */
const MAX_ASKED = 64;

/** Tells which inputs name files: what looks like a URL is one only in an input of a loader. */
export class MediaFinder {
  constructor(private readonly backends: { nodeClass(name: string): Promise<NodeClass | undefined> }) {}

  /** The inputs of loaders that hold a file, or a URL, in place of a name. */
  async embedded(workflow: Workflow): Promise<EmbeddedInput[]> {
    const candidates = Object.entries(workflow).flatMap(([node, { class_type: classType, inputs = {} }]) =>
      Object.entries(inputs).flatMap(([input, value]) => {
        const form = embeddedForm(value);
        return form === undefined ? [] : [{ node, input, classType, form, value: value as string }];
      }),
    );
    const kindOf = await this.kinds(candidates);
    return candidates.flatMap(({ classType, ...candidate }) => {
      const kind = kindOf(classType, candidate.input);
      return kind === undefined ? [] : [{ ...candidate, kind }];
    });
  }

  /**
   * What inputs take; undefined: they name no file, or nobody knows their class. Classes that are not well known are asked for, all at
   * once.
   */
  async kinds(
    inputs: readonly { classType: string; input: string }[],
  ): Promise<(classType: string, input: string) => MediaKind | undefined> {
    const unknown = inputs.filter(({ classType, input }) => knownMedia(classType, input) === undefined);
    const classes = [...new Set(unknown.map(({ classType }) => classType))].slice(0, MAX_ASKED);
    const asked = forkJoin(classes.map((name) => from(this.backends.nodeClass(name))));
    const silent = () => of(classes.map(() => undefined));
    const found = await firstValueFrom(asked.pipe(timeout({ first: ASK_MS, with: silent })), {
      defaultValue: [],
    });
    const media = new Map(classes.map((name, index) => [name, found[index]?.media]));
    return (classType, input) => knownMedia(classType, input) ?? media.get(classType)?.get(input);
  }
}
