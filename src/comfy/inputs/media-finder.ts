import type { NodeInput } from '../comfy.error.js';
import {
  embeddedForm,
  type EmbeddedForm,
  knownMedia,
  type MediaKind,
  type Workflow,
} from '../workflow/index.js';
import type { ClassInfo } from './class-info.js';

/** An input of a loader that holds a file, or says where one is. */
export interface EmbeddedInput extends NodeInput {
  kind: MediaKind;
  form: EmbeddedForm;
  value: string;
}

/** Tells which inputs name files: what looks like a URL is one only in an input of a loader. */
export class MediaFinder {
  constructor(private readonly classes: ClassInfo) {}

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

  /** The inputs of loaders whose text says `is`. */
  async named(
    workflow: Workflow,
    is: (value: string) => boolean,
  ): Promise<(NodeInput & { kind: MediaKind; value: string })[]> {
    const candidates = Object.entries(workflow).flatMap(([node, { class_type: classType, inputs = {} }]) =>
      Object.entries(inputs).flatMap(([input, value]) =>
        typeof value === 'string' && is(value) ? [{ node, input, classType, value }] : [],
      ),
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
    const classes = await this.classes.of(unknown.map(({ classType }) => classType));
    return (classType, input) => knownMedia(classType, input) ?? classes.get(classType)?.media.get(input);
  }
}
