import { ApiProperty, ApiPropertyOptional, ApiSchema, getSchemaPath } from '@nestjs/swagger';
import { PROBLEMS, type ProblemCode } from './problem.table.js';

// Every property is decorated, also where the compiler's plugin could tell all of it: the document lists decorated
// ones first.

/** One thing that is wrong with a node, in ComfyUI's words. */
@ApiSchema({ name: 'NodeError', description: "One thing that is wrong with a node, in ComfyUI's words." })
export class NodeErrorDto {
  /** ComfyUI's kind of error. */
  @ApiProperty({ example: 'value_not_in_list' })
  type!: string;
  /** What is wrong. */
  @ApiProperty({ example: 'Value not in list' })
  message!: string;
  /** Which value, and what would be right; may be empty. */
  @ApiProperty({ example: "ckpt_name: 'missing.safetensors' not in ['sd15.safetensors']" })
  details!: string;
  /** The input it is about. */
  @ApiPropertyOptional({ example: 'ckpt_name' })
  input?: string;
}

/** What is wrong with one node. */
@ApiSchema({ name: 'NodeErrors', description: 'What is wrong with one node.' })
export class NodeErrorsDto {
  /** Kind of the node, as ComfyUI names it. */
  @ApiProperty({ example: 'CheckpointLoaderSimple' })
  class_type!: string;
  /** Every mistake. */
  @ApiProperty({ type: () => [NodeErrorDto] })
  errors!: NodeErrorDto[];
}

/** What is wrong with one field of the request. */
@ApiSchema({ name: 'FieldError', description: 'What is wrong with one field of the request.' })
export class FieldErrorDto {
  /** Its name. */
  @ApiProperty({ example: 'output_node_id' })
  field!: string;
  /** What it has to be. */
  @ApiProperty({ example: 'must be the id of a node: a string or a whole number' })
  message!: string;
}

/** An error (RFC 9457). Switch on `code`; the texts are for people. */
@ApiSchema({
  name: 'Problem',
  description: 'An error (RFC 9457). Switch on `code`; the texts are for people.',
})
export class ProblemDto {
  /** Names the code as a URI. */
  @ApiProperty({ format: 'uri', example: 'urn:comfy-sync-server:problem:invalid_workflow' })
  type!: string;
  /** What the code means, always the same. */
  @ApiProperty({ example: 'ComfyUI refuses the workflow' })
  title!: string;
  /** The HTTP status again. */
  @ApiProperty({ type: 'integer', minimum: 400, maximum: 599, example: 422 })
  status!: number;
  /** What was wrong here, and what to do. */
  @ApiProperty({ example: 'ComfyUI refuses the workflow: Prompt outputs failed validation' })
  detail!: string;
  /** Stable; never reused for another meaning. */
  @ApiProperty({ enum: Object.keys(PROBLEMS), enumName: 'ProblemCode', example: 'invalid_workflow' })
  code!: ProblemCode;
  /** The job this is about. */
  @ApiPropertyOptional({ format: 'uuid', example: '7b87c392-de65-410f-9557-0ac08ad2a975' })
  job_id?: string;
  /** Where that job can be asked for; it may still end well. */
  @ApiPropertyOptional({
    format: 'uri-reference',
    example: '/api/generate/7b87c392-de65-410f-9557-0ac08ad2a975',
  })
  job_url?: string;
  /** Errors by node id of the workflow. */
  @ApiPropertyOptional({
    type: 'object',
    additionalProperties: { $ref: getSchemaPath(NodeErrorsDto) },
    example: {
      '4': {
        class_type: 'CheckpointLoaderSimple',
        errors: [
          {
            type: 'value_not_in_list',
            message: 'Value not in list',
            details: "ckpt_name: 'missing.safetensors' not in ['sd15.safetensors']",
            input: 'ckpt_name',
          },
        ],
      },
    },
  })
  node_errors?: Record<string, NodeErrorsDto>;
  /** What the job had made before it failed, each as in the reply of a job that succeeds. */
  @ApiPropertyOptional({ type: 'array', items: { type: 'object', additionalProperties: true } })
  outputs?: object[];
  /** Errors by field of the request. */
  @ApiPropertyOptional({ type: () => [FieldErrorDto] })
  errors?: FieldErrorDto[];
  /** Seconds after which trying again makes sense; the `Retry-After` header says the same. */
  @ApiPropertyOptional({ type: 'integer', minimum: 0, example: 15 })
  retry_after?: number;
}
