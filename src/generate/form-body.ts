import { fieldProblem } from '../problem/index.js';
import { parseField, withoutBom } from '../request/index.js';
import { type FormPart, WORKFLOW_FIELD } from './form.engine.js';

/** Fields whose values are texts; those of all others are JSON. */
const TEXTS = new Set(['output_node_id', 'response_type', 'outputs_via', 'webhook_url']);

/** The body that the fields of a form stand for. @throws ProblemException `invalid_request` */
export function bodyOfForm(
  fields: Readonly<Record<string, unknown>>,
  parts: readonly FormPart[],
): Record<string, unknown> {
  const workflows = parts.flatMap((part) => ('text' in part ? [part.text] : []));
  if (workflows.length > 0 && WORKFLOW_FIELD in fields) {
    throw fieldProblem({ field: WORKFLOW_FIELD, message: 'may be given once' });
  }
  const texts = [...Object.entries(fields), ...workflows.map((text) => [WORKFLOW_FIELD, text] as const)];
  // Also `__proto__` is a field like any other, which there is not.
  return Object.fromEntries(
    texts.map(([field, text]) => {
      if (typeof text !== 'string') {
        throw fieldProblem({ field: field.slice(0, 64), message: 'may be given once' });
      }
      return [field, TEXTS.has(field) ? withoutBom(text) : valueOf(field, text)];
    }),
  );
}

function valueOf(field: string, text: string): unknown {
  try {
    return parseField(text, field);
  } catch (error) {
    // What is wrong with any other field is told with what it has to be.
    if (field !== WORKFLOW_FIELD) return withoutBom(text);
    throw error;
  }
}
