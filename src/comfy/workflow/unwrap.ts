/** What was in a wrapper around a workflow. */
export interface UnwrappedWorkflow {
  /** The nodes by id; may still be a text of them. */
  workflow: unknown;
  /** For the prompt's `extra_data`, unchecked. */
  extraData: Record<string, unknown> | undefined;
}

/**
 * Takes the workflow out of what the ComfyUI page makes of it: the body of its `POST /prompt` (`{prompt, extra_data, client_id, …}`),
 * or what its `graphToPrompt` returns (`{workflow, output}`, of which the first is the page's own format). A node has a
 * `class_type`, so that nodes whose ids are `prompt` or `output` are no wrappers.
 * @returns undefined where it is in no wrapper
 */
export function unwrapWorkflow(value: unknown): UnwrappedWorkflow | undefined {
  if (!isObject(value)) return undefined;
  const prompt = memberOf(value, 'prompt');
  if (prompt !== undefined) {
    const extraData = value['extra_data'];
    const inner = unwrapWorkflow(prompt);
    const own = isObject(extraData) ? extraData : undefined;
    return inner === undefined
      ? { workflow: prompt, extraData: own }
      : { ...inner, extraData: own ?? inner.extraData };
  }
  const output = memberOf(value, 'output');
  if (output === undefined) return undefined;
  const workflow = value['workflow'];
  return {
    workflow: output,
    // The page sends it along, so that the pictures can be dropped onto it.
    extraData: isObject(workflow) ? { extra_pnginfo: { workflow } } : undefined,
  };
}

/** A member that is no node: an object of something else, or a text. */
function memberOf(value: Record<string, unknown>, name: string): unknown {
  if (!Object.hasOwn(value, name)) return undefined;
  const member = value[name];
  if (typeof member === 'string') return member;
  return isObject(member) && typeof member['class_type'] !== 'string' ? member : undefined;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
