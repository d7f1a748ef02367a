import {
  decodedJson,
  isObject,
  lenientBoolean,
  lenientInteger,
  readWorkflow,
  withRead,
} from '../request/index.js';

const INTEGERS = ['output_index', 'priority'];
const BOOLEANS = ['include_temp'];
/** Fields whose values are objects or lists, which form-like clients send as texts. */
const STRUCTURES = ['convert', 'extra_data', 'webhook_events'];
const CONVERT_INTEGERS = ['quality', 'max_width', 'max_height'];
const CONVERT_BOOLEANS = ['strip_metadata'];

/** Members of a request to ComfyUI's `/prompt` that mean nothing here. */
const OF_PROMPT = ['client_id', 'prompt_id', 'number', 'front', 'partial_execution_targets'];

/**
 * A body as workflow tools and scripts send it, in the form that this API describes: texts of JSON, numbers and booleans as texts, a
 * whole request to ComfyUI, or the workflow alone in place of the body. What has another form already stays as it is.
 * @throws ProblemException `invalid_request`, where a text is no JSON
 */
export function lenientBody(given: unknown): unknown {
  if (!isObject(given)) return given;
  let body = withWorkflow(given);
  if (Object.hasOwn(body, 'workflow_data')) {
    const { workflow, extraData } = readWorkflow(body['workflow_data'], 'workflow_data');
    body = { ...body, workflow_data: workflow };
    // What the page had around it counts where the caller says nothing of it, and may hold more than is known here.
    if (extraData !== undefined && (body['extra_data'] ?? undefined) === undefined) {
      body['extra_data'] = knownOf(extraData);
    }
  }
  body = withRead(body, STRUCTURES, readStructure);
  body = withRead(body, INTEGERS, lenientInteger);
  body = withRead(body, BOOLEANS, lenientBoolean);
  body = withRead(body, ['output_node_id'], (id) => (typeof id === 'string' ? id.trim() : id));
  return withRead(body, ['convert'], (convert) =>
    isObject(convert)
      ? withRead(withRead(convert, CONVERT_INTEGERS, lenientInteger), CONVERT_BOOLEANS, lenientBoolean)
      : convert,
  );
}

/** The workflow is found where the body is one, or is a whole request to ComfyUI, or what its page makes of a workflow. */
function withWorkflow(body: Record<string, unknown>): Record<string, unknown> {
  if (Object.hasOwn(body, 'workflow_data')) return body;
  const nodes = Object.values(body);
  if (nodes.length > 0 && nodes.every((node) => isObject(node) && typeof node['class_type'] === 'string')) {
    return { workflow_data: body };
  }
  if (Object.hasOwn(body, 'prompt')) {
    const rest = Object.entries(body).filter(([name]) => name !== 'prompt' && !OF_PROMPT.includes(name));
    const { extra_data: extra, ...other } = Object.fromEntries(rest);
    return {
      ...other,
      workflow_data: { prompt: body['prompt'], extra_data: decodedJson(extra, 'extra_data') },
    };
  }
  if (Object.hasOwn(body, 'output')) {
    const { output, workflow, ...other } = body;
    return { ...other, workflow_data: { output, workflow } };
  }
  return body;
}

/** The page's `extra_data` holds what servers of its version know. */
function knownOf(extraData: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(
    ['extra_pnginfo', 'api_key_comfy_org', 'auth_token_comfy_org'].flatMap((name) =>
      Object.hasOwn(extraData, name) ? [[name, extraData[name]]] : [],
    ),
  );
}

/** JSON in a text, where it looks like an object or a list; what else a text is, its check says. */
function readStructure(value: unknown, field: string): unknown {
  return typeof value === 'string' && /^\s*\uFEFF?\s*[{[]/.test(value) ? decodedJson(value, field) : value;
}
