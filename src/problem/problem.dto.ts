import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { PROBLEMS, type ProblemCode } from './problem.table.js';

/** One thing that is wrong with a node, in ComfyUI's words. */
export class NodeErrorDto {
  /**
   * ComfyUI's kind of error.
   * @example 'value_not_in_list'
   */
  type!: string;
  /** @example 'Value not in list' */
  message!: string;
  /** @example "ckpt_name: 'nope.safetensors' not in ['sd15.safetensors']" */
  details!: string;
  /**
   * The input it is about.
   * @example 'ckpt_name'
   */
  input?: string;
}

/** What is wrong with one node. */
export class NodeErrorsDto {
  /** @example 'CheckpointLoaderSimple' */
  class_type!: string;
  errors!: NodeErrorDto[];
}

/** What is wrong with one field of the request. */
export class FieldErrorDto {
  /** @example 'output_node_id' */
  field!: string;
  /** @example 'must be the id of a node: a string or a whole number' */
  message!: string;
}

/** An error (RFC 9457). Switch on `code`; the texts are for people. */
export class ProblemDto {
  /** @example 'urn:comfy-sync-server:problem:invalid_workflow' */
  type!: string;
  /** @example 'ComfyUI refuses the workflow' */
  title!: string;
  /** The HTTP status again. */
  @ApiProperty({ type: 'integer', example: 422 })
  status!: number;
  /**
   * What was wrong here, and what to do.
   * @example 'ComfyUI refuses the workflow: Prompt outputs failed validation'
   */
  detail!: string;
  /** Stable; never reused for another meaning. */
  @ApiProperty({ enum: Object.keys(PROBLEMS), enumName: 'ProblemCode', example: 'invalid_workflow' })
  code!: ProblemCode;
  /** The job this is about. */
  @ApiPropertyOptional({ format: 'uuid' })
  job_id?: string;
  /** Where that job can be asked for; it may still end well. */
  job_url?: string;
  /** Errors by node id of the workflow. */
  @ApiPropertyOptional({
    type: 'object',
    additionalProperties: { $ref: '#/components/schemas/NodeErrorsDto' },
  })
  node_errors?: Record<string, NodeErrorsDto>;
  /** Errors by field of the request. */
  errors?: FieldErrorDto[];
  /** Seconds after which trying again makes sense; the `Retry-After` header says the same. */
  @ApiPropertyOptional({ type: 'integer' })
  retry_after?: number;
}
