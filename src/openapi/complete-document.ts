import type { OpenAPIObject } from '@nestjs/swagger';
import { PROBLEMS, type ProblemCode, toEnvelope } from '../problem/index.js';
import { PROBLEM_EXAMPLES } from './problem-examples.js';

type Operation = NonNullable<OpenAPIObject['paths'][string]['get']>;
type ResponseDoc = Exclude<NonNullable<Operation['responses'][string]>, { $ref: string }>;

const METHODS = ['get', 'post', 'head', 'delete'] as const;
/** Operations whose body may be a form. */
const FORMS = new Set(['generate', 'generateFile']);

const PROBLEM_TYPE = 'application/problem+json';
/** A storage that may come back says when. */
const STORAGE_RETRY_S = 30;

/**
 * Adds what holds for every operation, so that no controller has to repeat it: an example for each code, the
 * `Retry-After` of problems that pass, and the name that comes with a file.
 */
export function completeDocument(document: OpenAPIObject): OpenAPIObject {
  const { openapi, info, servers = [], tags = [], paths, components = {} } = document;
  for (const path of Object.values(paths)) {
    if (FORMS.has(path.post?.operationId ?? '')) addForm(path.post);
    for (const method of METHODS) {
      for (const [status, response] of Object.entries(path[method]?.responses ?? {})) {
        if (response !== undefined && !('$ref' in response)) completeResponse(Number(status), response);
      }
    }
  }
  // Builders put an empty contact, and the paths before what they belong to.
  const { contact: _empty, ...about } = info;
  return { openapi, info: about, servers, tags, paths, components };
}

/** Nest has one schema for all types of a body. */
function addForm(operation: Operation | undefined): void {
  const { requestBody } = operation ?? {};
  if (requestBody === undefined || '$ref' in requestBody) return;
  requestBody.content['multipart/form-data'] = {
    schema: {
      type: 'object',
      description:
        'The fields of the JSON body, objects and numbers as JSON, and files named `<node>.<input>`, each for that input of the workflow.',
      required: ['workflow_data'],
      properties: {
        workflow_data: { type: 'string', description: 'The workflow as JSON, or a file that holds it' },
      },
      additionalProperties: { type: 'string', format: 'binary' },
    },
  };
}

function completeResponse(status: number, response: ResponseDoc): void {
  completeEnvelope(status, response);
  const problem = response.content?.[PROBLEM_TYPE];
  if (problem !== undefined) {
    const codes = Object.keys(problem.examples ?? {}) as ProblemCode[];
    const bodies = codes.map((code) => [code, exampleOf(code, status)] as const);
    problem.examples = Object.fromEntries(
      bodies.map(([code, value]) => [code, { summary: PROBLEMS[code].title, value }]),
    );
    if (bodies.some(([, { retry_after }]) => retry_after !== undefined)) addRetryAfter(response);
  } else if (Object.values(response.content ?? {}).some(isBinary)) {
    addHeader(response, 'Content-Disposition', {
      description: 'With a file: its name',
      schema: { type: 'string' },
      example: 'attachment; filename="image_1795460610911_0a1b2c3d4e5f.png"',
    });
  }
}

/** The errors of Comfy API v2 have a look of their own. */
function completeEnvelope(status: number, response: ResponseDoc): void {
  const content = response.content?.['application/json'];
  if (status < 400 || content?.examples === undefined) return;
  const codes = Object.keys(content.examples) as ProblemCode[];
  content.examples = Object.fromEntries(
    codes.map((code) => {
      const { detail, ...extras } = PROBLEM_EXAMPLES[code];
      return [
        code,
        { summary: PROBLEMS[code].title, value: toEnvelope({ code, detail, extras }, status).body },
      ];
    }),
  );
  if (codes.some((code) => PROBLEM_EXAMPLES[code].retry_after !== undefined)) addRetryAfter(response);
}

function addRetryAfter(response: ResponseDoc): void {
  addHeader(response, 'Retry-After', {
    description: 'Seconds after which trying again makes sense; where it is missing, it makes none',
    schema: { type: 'integer', minimum: 0 },
  });
}

function exampleOf(code: ProblemCode, status: number) {
  const comesBack = code === 'storage_error' && status === 503;
  const { detail, ...extras } = PROBLEM_EXAMPLES[code];
  return {
    type: `urn:comfy-sync-server:problem:${code}`,
    title: PROBLEMS[code].title,
    status,
    detail,
    code,
    ...extras,
    ...(comesBack ? { retry_after: STORAGE_RETRY_S } : {}),
  };
}

function addHeader(response: ResponseDoc, name: string, header: NonNullable<ResponseDoc['headers']>[string]) {
  response.headers = { ...response.headers, [name]: header };
}

function isBinary({ schema }: { schema?: unknown }): boolean {
  return (schema as { format?: string } | undefined)?.format === 'binary';
}
