import type { NodeClass } from '../client/index.js';
import type { NodeInput } from '../comfy.error.js';
import {
  embeddedForm,
  isPathName,
  knownMedia,
  linkOf,
  namesModel,
  type PathFault,
  pathFault,
  type Workflow,
} from '../workflow/index.js';
import { type ClassInfo, MAX_ASKED } from './class-info.js';
import { invalidInput } from './input.error.js';

const WORDS: Readonly<Record<PathFault, string>> = {
  absolute: "is an absolute path on ComfyUI's machine",
  parent: 'leads out of its folder with ".."',
  annotation: 'names a file that another job made ([output], [temp])',
};

const ADVICE =
  "Give a name within ComfyUI's folder, a URL, or a file of this server. The operator can allow such paths (COMFYUI_ALLOW_HOST_PATHS)";

/** A value that would be a path out of its folder, where its input takes paths. */
interface Suspect extends NodeInput {
  classType: string;
  value: string;
  fault: PathFault;
}

/**
 * Keeps workflows of strangers to ComfyUI's own folders: stock nodes read any path that a loader is given, and data set nodes write
 * to any. To be asked before anything in a workflow is replaced.
 */
export class PathGuard {
  constructor(
    private readonly classes: ClassInfo,
    /** Does a text in an input that takes files name one that is here? Then it is no path of ComfyUI's machine. */
    private readonly isOwn: (value: string) => boolean,
  ) {}

  /** @throws ComfyError `invalid_input`, naming the first input that is a path out of its folder */
  async check(workflow: Workflow): Promise<void> {
    const suspects = suspectsIn(workflow);
    if (suspects.length === 0) return;
    const open = suspects.filter((suspect) => this.verdict(suspect, undefined) === undefined);
    const names = new Set(open.map(({ classType }) => classType));
    const known = await this.classes.of(names);
    for (const suspect of suspects) {
      const verdict = this.verdict(suspect, known.get(suspect.classType));
      // Of so many classes nobody is asked: what is not known of the rest would let anything pass.
      const unasked = verdict === undefined && names.size > MAX_ASKED && !known.has(suspect.classType);
      if (verdict === 'refused' || unasked) throw refused(suspect);
    }
  }

  /** Undefined: nothing is known of the input. */
  private verdict(
    { classType, input, value, fault }: Suspect,
    known: NodeClass | undefined,
  ): 'refused' | 'fine' | undefined {
    if (knownMedia(classType, input) !== undefined || known?.media.get(input) !== undefined) {
      // Bytes, and URLs but those of files, are taken in and never seen by ComfyUI; base64 of a JPEG begins with a slash.
      const form = embeddedForm(value);
      const replaced = form === 'data' || form === 'base64' || (form === 'url' && !/^\s*file:/i.test(value));
      return replaced || this.isOwn(value) ? 'fine' : 'refused';
    }
    if (namesModel(value)) return 'refused';
    if (isPathName(classType, input)) return isUrl(value) && fault === 'parent' ? 'fine' : 'refused';
    const choices = known?.choices.get(input);
    if (choices !== undefined) return choices.has(value) ? 'fine' : 'refused';
    return known === undefined ? undefined : 'fine';
  }
}

function refused({ node, input, fault }: Suspect): Error {
  return invalidInput({ node, input }, `${WORDS[fault]}. ${ADVICE}`);
}

function isUrl(value: string): boolean {
  return /^\s*https?:\/\//i.test(value);
}

function suspectsIn(workflow: Workflow): Suspect[] {
  return Object.entries(workflow).flatMap(([node, { class_type: classType, inputs = {} }]) =>
    Object.entries(inputs).flatMap(([input, given]): Suspect[] => {
      const source = linkOf(given)?.node;
      if (source !== undefined) {
        // Primitives and joined texts: what they are made of is what the path is made of.
        const texts = isPathName(classType, input) ? textsBehind(workflow, source) : [];
        return texts.map(({ value, fault }) => ({ node, input, classType, value, fault }));
      }
      return textsIn(given).map(({ value, fault }) => ({ node, input, classType, value, fault }));
    }),
  );
}

type Text = Pick<Suspect, 'value' | 'fault'>;

/** A text, those of a list, and those of an object that an extension keeps in one input; bodies nest 64 levels at most. */
function textsIn(value: unknown): Text[] {
  if (typeof value === 'string') {
    const fault = pathFault(value);
    return fault === undefined ? [] : [{ value, fault }];
  }
  if (typeof value !== 'object' || value === null) return [];
  // An asset is named by its id.
  if ('__type' in value && value.__type === 'core/ASSET') return [];
  return Object.values(value).flatMap((item) => textsIn(item));
}

/** The texts of a node, and of those that it is linked to, each once. */
function textsBehind(workflow: Workflow, start: string): Text[] {
  const seen = new Set([start]);
  const found: Text[] = [];
  for (const id of seen) {
    for (const value of Object.values(workflow[id]?.inputs ?? {})) {
      const source = linkOf(value)?.node;
      if (source === undefined) found.push(...textsIn(value));
      else seen.add(source);
    }
  }
  return found;
}
