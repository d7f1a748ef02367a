import { unwrapWorkflow } from '../comfy/index.js';
import { fieldProblem, ProblemException } from '../problem/index.js';
import { withoutBom } from './body-text.js';
import { parseBody } from './json-body.js';

/** How often JSON may stand in a text within a text: clients encode it once, their HTTP nodes once more. */
const MAX_ENCODINGS = 3;

/**
 * The value itself where it came as a text of JSON, as workflow tools send it; anything else as it is.
 * @throws ProblemException `invalid_request` where the text is no JSON, by line and column of that text
 */
export function decodedJson(value: unknown, field: string): unknown {
  let decoded = value;
  for (let round = 0; typeof decoded === 'string' && round < MAX_ENCODINGS; round += 1) {
    decoded = parseField(decoded, field);
  }
  return decoded;
}

/** JSON in a field. @throws ProblemException `invalid_request`, naming the field */
export function parseField(text: string, field: string): unknown {
  try {
    return parseBody(withoutBom(text.trim()));
  } catch (error) {
    throw error instanceof ProblemException
      ? fieldProblem({ field, message: error.detail.replace(/^The body/, 'it') })
      : error;
  }
}

/** A workflow, and what came around it. */
export interface ReadWorkflow {
  /** The nodes by id, where it is a workflow at all. */
  workflow: unknown;
  /** `extra_data` of the request to ComfyUI that it was in; undefined where there was none. */
  extraData: Record<string, unknown> | undefined;
}

/**
 * A workflow in each form in which clients send it: the nodes, a text of them, the page's `{workflow, output}`, or a whole request
 * to ComfyUI's `/prompt`.
 * @throws ProblemException `invalid_request`, where a text is no JSON
 */
export function readWorkflow(value: unknown, field: string): ReadWorkflow {
  const wrapped = decodedJson(value, field);
  const inner = unwrapWorkflow(wrapped);
  if (inner === undefined) return { workflow: wrapped, extraData: undefined };
  return { workflow: decodedJson(inner.workflow, field), extraData: inner.extraData };
}

/** A whole number that came as a text; anything else as it is. */
export function lenientInteger(value: unknown): unknown {
  return typeof value === 'string' && /^\s*[+-]?\d{1,15}(\.0*)?\s*$/.test(value) ? Number(value) : value;
}

/** `true` or `false` that came as a text, in any case; anything else as it is. */
export function lenientBoolean(value: unknown): unknown {
  if (typeof value !== 'string') return value;
  const text = value.trim().toLowerCase();
  return text === 'true' ? true : text === 'false' ? false : value;
}

/** The object with some of its members read by `read`, where it has them. */
export function withRead(
  object: Record<string, unknown>,
  members: readonly string[],
  read: (value: unknown, member: string) => unknown,
): Record<string, unknown> {
  const changed = members.filter((member) => Object.hasOwn(object, member));
  if (changed.length === 0) return object;
  return {
    ...object,
    ...Object.fromEntries(changed.map((member) => [member, read(object[member], member)])),
  };
}

/** An object, and no list. */
export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
