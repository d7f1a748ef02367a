import { applyDecorators } from '@nestjs/common';
import { ApiExtraModels, ApiProperty, ApiResponse, ApiSchema, getSchemaPath } from '@nestjs/swagger';
import type { ProblemException } from './problem.exception.js';
import { PROBLEMS, type ProblemCode } from './problem.table.js';

/** Where Comfy API v2 lives, whatever stands before it. */
const CONTRACT_PATH = /(^|\/)api\/v2(\/|$)/;

/** Does the contract say how errors look here? */
export function isContractPath(path: string): boolean {
  return CONTRACT_PATH.test(path);
}

/** What the contract calls a code of ours, and its status there; the others are the same in both. */
export function contractOf(code: ProblemCode, status: number): { code: string; status: number } {
  // What is wrong with a request is 422 in the contract, and what nobody expected has a name of its own.
  if (code === 'invalid_request') return { code, status: 422 };
  return code === 'internal_error' ? { code: 'upstream_error', status } : { code, status };
}

class ContractErrorDto {
  /** Stable: a code of the contract where it has one, else one of docs/errors.md. */
  @ApiProperty({ example: 'invalid_workflow' })
  code!: string;
  /** What was wrong here, and what to do. */
  @ApiProperty({ example: 'ComfyUI refuses the workflow: Prompt outputs failed validation' })
  message!: string;
  /** `node_errors`, `errors` (by field) and `job_id`, where there are any. */
  @ApiProperty({ type: 'object', additionalProperties: true, nullable: true, example: null })
  details!: Record<string, unknown> | null;
}

/** How Comfy API v2 tells an error. */
@ApiSchema({ name: 'ErrorEnvelope', description: 'How Comfy API v2 tells an error.' })
export class ErrorEnvelopeDto {
  @ApiProperty({ type: () => ContractErrorDto })
  error!: ContractErrorDto;
}

/** The problem as the contract tells it, and its status there. */
export function toEnvelope(problem: Pick<ProblemException, 'code' | 'detail' | 'extras'>, status: number) {
  const { retry_after: _header, job_url: _link, ...details } = problem.extras;
  const contract = contractOf(problem.code, status);
  const body: ErrorEnvelopeDto = {
    error: {
      code: contract.code,
      message: problem.detail,
      details: Object.keys(details).length === 0 ? null : details,
    },
  };
  return { status: contract.status, body };
}

/**
 * Documents the errors an operation of the contract can answer with, one response a status, a place for an example a code.
 * Each can answer `host_not_allowed`, which is added here.
 */
export function ApiContractErrors(...codes: ProblemCode[]): MethodDecorator & ClassDecorator {
  const byStatus = new Map<number, ProblemCode[]>();
  for (const code of [...codes, 'host_not_allowed'] as const) {
    const { status } = contractOf(code, PROBLEMS[code].status);
    byStatus.set(status, [...(byStatus.get(status) ?? []), code]);
  }
  return applyDecorators(
    ApiExtraModels(ErrorEnvelopeDto),
    ...[...byStatus].map(([status, group]) =>
      ApiResponse({
        status,
        description: group
          .map((code) => `\`${contractOf(code, status).code}\`: ${PROBLEMS[code].title}`)
          .join('. '),
        content: {
          'application/json': {
            schema: { $ref: getSchemaPath(ErrorEnvelopeDto) },
            // The openapi room fills them in.
            examples: Object.fromEntries(group.map((code) => [code, { value: {} }])),
          },
        },
      }),
    ),
  );
}
