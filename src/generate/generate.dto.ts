import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { Type } from 'class-transformer';
import { IsIn, IsInt, IsObject, IsOptional, Min } from 'class-validator';
import { NodeErrorsDto } from '../problem/index.js';
import { IsNodeId } from './is-node-id.decorator.js';

const WORKFLOW_EXAMPLE = {
  '1': { class_type: 'EmptyImage', inputs: { width: 512, height: 512, batch_size: 1, color: 3_381_759 } },
  '277': { class_type: 'SaveImage', inputs: { images: ['1', 0], filename_prefix: 'demo' } },
};

/** A workflow to run. */
export class GenerateFileDto {
  /** The workflow in ComfyUI's API format ("Workflow > Export (API)"): nodes by id. */
  @ApiProperty({
    type: 'object',
    additionalProperties: {
      type: 'object',
      required: ['class_type'],
      properties: {
        class_type: { type: 'string' },
        inputs: { type: 'object', additionalProperties: true },
      },
      additionalProperties: true,
    },
    example: WORKFLOW_EXAMPLE,
  })
  @IsObject({ message: 'must be an object: the workflow in the API format' })
  workflow_data!: Record<string, unknown>;

  /**
   * The node whose file is wanted, e.g. a SaveImage. Without it: the only node that makes files, or the first that
   * saves to ComfyUI's output folder.
   */
  @ApiPropertyOptional({ oneOf: [{ type: 'string' }, { type: 'integer' }], example: 277 })
  @IsOptional()
  @IsNodeId()
  output_node_id?: string | number;

  /** Which of the node's files is meant by `url` and by the bytes, from 0. */
  @ApiPropertyOptional({ type: 'integer', minimum: 0, default: 0 })
  @IsOptional()
  @IsInt({ message: 'must be a whole number' })
  @Min(0, { message: 'must be 0 or more' })
  output_index?: number;
}

/** A workflow to run, and how to answer. */
export class GenerateDto extends GenerateFileDto {
  /** `url`: answer with JSON. `file`: answer with the bytes, as `/api/generate_file` does. */
  @ApiPropertyOptional({ enum: ['url', 'file'], default: 'url' })
  @IsOptional()
  @IsIn(['url', 'file'], { message: 'must be "url" or "file"' })
  response_type?: 'url' | 'file';
}

/** Which of a job's files is meant, and how to answer. */
export class ResultQueryDto {
  @ApiPropertyOptional({ type: 'integer', minimum: 0, default: 0 })
  @IsOptional()
  @Type(() => Number)
  @IsInt({ message: 'must be a whole number' })
  @Min(0, { message: 'must be 0 or more' })
  output_index?: number;

  @ApiPropertyOptional({ enum: ['url', 'file'], default: 'url' })
  @IsOptional()
  @IsIn(['url', 'file'], { message: 'must be "url" or "file"' })
  response_type?: 'url' | 'file';
}

/** One file that the output node made. */
export class OutputDto {
  /**
   * The node that made it.
   * @example '277'
   */
  node_id!: string;
  /** Its place among the node's files, from 0. */
  @ApiProperty({ type: 'integer', minimum: 0, example: 0 })
  index!: number;
  @ApiProperty({ enum: ['image', 'video', 'audio', 'file'] })
  kind!: 'image' | 'video' | 'audio' | 'file';
  /**
   * Where to get it; relative to this server where SERVER_BASE_URL is not set.
   * @example 'http://example.com/output_images/image_1795460610911_0a1b2c3d4e5f.png'
   */
  url!: string;
  /**
   * Media type, read from the bytes.
   * @example 'image/png'
   */
  content_type!: string;
  /** Length in bytes. */
  @ApiProperty({ type: 'integer', minimum: 1, example: 471_859 })
  size!: number;
  /** @example 'image_1795460610911_0a1b2c3d4e5f.png' */
  filename!: string;
  /** When `url` stops working; null: it does not. */
  @ApiProperty({ type: 'string', format: 'date-time', nullable: true })
  expires_at!: string | null;
}

/** Where the time went, in milliseconds. */
export class TimingsDto {
  /** Waiting for a free backend. */
  @ApiProperty({ type: 'integer', minimum: 0, example: 3 })
  queued_ms!: number;
  /** On the backend. */
  @ApiProperty({ type: 'integer', minimum: 0, example: 4_200 })
  rendering_ms!: number;
  /** From the backend's end until the files were safe. */
  @ApiProperty({ type: 'integer', minimum: 0, example: 12 })
  storing_ms!: number;
  @ApiProperty({ type: 'integer', minimum: 0, example: 4_215 })
  total_ms!: number;
}

/** The result of a workflow. */
export class GenerateReplyDto {
  /**
   * The picture: the file that `output_index` picks.
   * @example 'http://example.com/output_images/image_1795460610911_0a1b2c3d4e5f.png'
   */
  url!: string;
  /** When `url` stops working; null: it does not. */
  @ApiProperty({ type: 'string', format: 'date-time', nullable: true })
  expires_at!: string | null;
  @ApiProperty({ format: 'uuid' })
  job_id!: string;
  /** Every file of the output node. */
  outputs!: OutputDto[];
  timings!: TimingsDto;
  /** Branches of the workflow that ComfyUI skipped, by node id; absent where it ran all. */
  @ApiPropertyOptional({
    type: 'object',
    additionalProperties: { $ref: '#/components/schemas/NodeErrorsDto' },
  })
  node_errors?: Record<string, NodeErrorsDto>;
}

/** A job that has not ended yet. */
export class PendingReplyDto {
  @ApiProperty({ format: 'uuid' })
  job_id!: string;
  @ApiProperty({ enum: ['queued', 'running', 'storing'] })
  status!: 'queued' | 'running' | 'storing';
  /** Jobs before it in the waiting line; absent once it runs. */
  @ApiPropertyOptional({ type: 'integer', minimum: 0 })
  position?: number;
  /** 0 to 1. */
  @ApiProperty({ type: 'number', minimum: 0, maximum: 1 })
  progress!: number;
}
