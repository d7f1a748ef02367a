import { applyDecorators } from '@nestjs/common';
import { ApiExtraModels, ApiResponse, getSchemaPath } from '@nestjs/swagger';
import { NodeErrorsDto, ProblemDto } from './problem.dto.js';
import { PROBLEMS, type ProblemCode } from './problem.table.js';

/**
 * Documents the problems an operation can answer with, one response a status, a place for an example a code.
 * Each can answer `host_not_allowed`, which is added here.
 */
export function ApiProblems(...codes: ProblemCode[]): MethodDecorator & ClassDecorator {
  const byStatus = new Map<number, ProblemCode[]>();
  for (const code of [...codes, 'host_not_allowed'] as const) {
    const statuses: number[] = code === 'storage_error' ? [502, 503] : [PROBLEMS[code].status];
    for (const status of statuses) byStatus.set(status, [...(byStatus.get(status) ?? []), code]);
  }
  return applyDecorators(
    ApiExtraModels(ProblemDto, NodeErrorsDto),
    ...[...byStatus].map(([status, group]) =>
      ApiResponse({
        status,
        description: group.map((code) => `\`${code}\`: ${PROBLEMS[code].title}`).join('. '),
        content: {
          'application/problem+json': {
            schema: { $ref: getSchemaPath(ProblemDto) },
            // The openapi room fills them in.
            examples: Object.fromEntries(group.map((code) => [code, { value: {} }])),
          },
        },
      }),
    ),
  );
}
