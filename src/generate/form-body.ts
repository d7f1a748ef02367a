import { fieldProblem, ProblemException } from '../problem/index.js';
import { parseBody } from '../request/index.js';
import { type FormPart, WORKFLOW_FIELD } from './form.engine.js';

/** Fields whose values are texts; those of all others are JSON. */
const TEXTS = new Set(['output_node_id', 'response_type', 'outputs_via', 'webhook_url']);

/** The body that the fields of a form stand for. @throws ProblemException `invalid_request` */
export function bodyOfForm(
  fields: Readonly<Record<string, unknown>>,
  parts: readonly FormPart[],
): Record<string, unknown> {
  const body: Record<string, unknown> = {};
  const texts: Record<string, unknown> = { ...fields };
  for (const part of parts) if ('text' in part) texts[part.fieldname] = part.text;
  for (const [field, text] of Object.entries(texts)) {
    if (typeof text !== 'string') {
      throw fieldProblem({ field: field.slice(0, 64), message: 'may be given once' });
    }
    body[field] = TEXTS.has(field) ? text : valueOf(field, text);
  }
  return body;
}

function valueOf(field: string, text: string): unknown {
  try {
    return parseBody(text);
  } catch (error) {
    // What is wrong with any other field is told with what it has to be.
    if (field !== WORKFLOW_FIELD) return text;
    throw error instanceof ProblemException
      ? fieldProblem({ field, message: error.detail.replace(/^The body/, 'it') })
      : error;
  }
}
