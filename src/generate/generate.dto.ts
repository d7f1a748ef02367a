import { ApiProperty, ApiPropertyOptional, ApiSchema, getSchemaPath } from '@nestjs/swagger';
import { Type } from 'class-transformer';
import { IsBoolean, IsIn, IsInt, IsObject, IsOptional, Max, Min } from 'class-validator';
import { OUTPUT_TYPES, type OutputType } from '../comfy/index.js';
import { DrawnSeedDto, JobWarningDto } from '../job-view/index.js';
import { NodeErrorsDto } from '../problem/index.js';
import { ExtraDataDto, Nested } from '../request/index.js';
import { JobWebhookDto, type WebhookEvent, WebhookEventsField, WebhookUrlField } from '../webhooks/index.js';
import { ConvertDto } from './convert.dto.js';
import { IsNodeId } from './is-node-id.decorator.js';
import { RESPONSE_TYPES, type ResponseType } from './wants-file.js';

const RESPONSE_TYPE_WORDS = 'must be "url", "file", "zip", "multipart" or "base64"';

/** Runs on every ComfyUI, also one without any model. */
export const WORKFLOW_EXAMPLE = {
  '1': { class_type: 'EmptyImage', inputs: { width: 512, height: 512, batch_size: 1, color: 3_381_759 } },
  '277': { class_type: 'SaveImage', inputs: { images: ['1', 0], filename_prefix: 'demo' } },
};

/** A branch that ComfyUI skips while it runs the others. */
const NODE_ERRORS_EXAMPLE = {
  '12': {
    class_type: 'LoadImage',
    errors: [
      {
        type: 'custom_validation_failed',
        message: 'Custom validation failed for node',
        details: 'image - Invalid image file: missing.png',
        input: 'image',
      },
    ],
  },
};

const FILE_NAME = 'image_1795460610911_0a1b2c3d4e5f.png';
const FILE_URL = `http://example.com/output_images/${FILE_NAME}`;
const ASSET_ID = 'a3c5d0c5-8c9f-4a9e-9a0b-4b2f2a1b7c11';
const JOB_ID = '7b87c392-de65-410f-9557-0ac08ad2a975';

/** What the workflow above is answered with. */
export const REPLY_EXAMPLE = {
  url: FILE_URL,
  expires_at: null,
  job_id: JOB_ID,
  outputs: [
    {
      node_id: '277',
      asset_id: ASSET_ID,
      index: 0,
      kind: 'image',
      url: FILE_URL,
      content_type: 'image/png',
      size: 4_752,
      filename: FILE_NAME,
      expires_at: null,
    },
  ],
  timings: { queued_ms: 3, rendering_ms: 4_200, storing_ms: 12, total_ms: 4_215 },
  attempts: 1,
  outputs_via: 'files',
};

// Every property is decorated, also where the compiler's plugin could tell all of it: the document lists decorated
// ones first, and generated clients should show `url` before the rest.

/** A workflow to run. */
@ApiSchema({ name: 'GenerateFileBody', description: 'A workflow to run.' })
export class GenerateFileDto {
  /**
   * The workflow in ComfyUI's API format ("Workflow > Export (API)"): nodes by id. A JSON string of it is taken as well, and so is it within
   * `{"prompt": …}` or `{"output": …}`, as the ComfyUI page sends it.
   */
  @ApiProperty({
    type: 'object',
    additionalProperties: {
      type: 'object',
      required: ['class_type'],
      properties: {
        class_type: { type: 'string', description: 'Kind of the node, as ComfyUI names it.' },
        inputs: {
          type: 'object',
          additionalProperties: true,
          description: "Values, and links to other nodes' outputs: `[node id, index]`.",
        },
      },
      additionalProperties: true,
    },
    example: WORKFLOW_EXAMPLE,
  })
  @IsObject({ message: 'must be an object: the workflow in the API format' })
  workflow_data!: Record<string, unknown>;

  /**
   * The node whose files and texts are wanted, e.g. a SaveImage. Without it: the only node that makes files, or the first that
   * saves to ComfyUI's output folder; where none makes a file, the first that makes a text.
   */
  @ApiPropertyOptional({ oneOf: [{ type: 'string' }, { type: 'integer' }], example: 277 })
  @IsOptional()
  @IsNodeId()
  output_node_id?: string | number;

  /** What is only shown (PreviewImage) comes as well where the node also saves something; it comes in any case where nothing else is there. */
  @ApiPropertyOptional({ type: 'boolean', default: false, example: false })
  @IsOptional()
  @IsBoolean({ message: 'must be true or false' })
  include_temp?: boolean;

  /**
   * How pictures come from ComfyUI: `files` that it saves, or over its `socket`, without its disk and without the workflow in
   * them. Without it: as COMFYUI_OUTPUTS says.
   */
  @ApiPropertyOptional({ type: 'string', enum: ['files', 'socket'], example: 'files' })
  @IsOptional()
  @IsIn(['files', 'socket'], { message: 'must be "files" or "socket"' })
  outputs_via?: 'files' | 'socket';

  /** Which of the node's files is meant by `url` and by the bytes, from 0. */
  @ApiPropertyOptional({ type: 'integer', minimum: 0, default: 0, example: 0 })
  @IsOptional()
  @IsInt({ message: 'must be a whole number' })
  @Min(0, { message: 'must be 0 or more' })
  output_index?: number;

  /** Jobs of a higher priority go first; within one, callers take turns. */
  @ApiPropertyOptional({ type: 'integer', minimum: -100, maximum: 100, default: 0, example: 0 })
  @IsOptional()
  @IsInt({ message: 'must be a whole number' })
  @Min(-100, { message: 'must be -100 or more' })
  @Max(100, { message: 'must be 100 or less' })
  priority?: number;

  /** Keys of partner nodes, and what save nodes write into their files; passed on in the prompt's `extra_data`. */
  @ApiPropertyOptional({ type: () => ExtraDataDto })
  @IsOptional()
  @IsObject({ message: 'must be an object' })
  extra_data?: ExtraDataDto;

  @WebhookUrlField()
  webhook_url?: string;

  @WebhookEventsField()
  webhook_events?: WebhookEvent[];

  /**
   * Convert the images, on this server, once they are made: `url` and the bytes are the converted file, and the one that
   * ComfyUI made is `original` in `outputs`. Other files stay as they are.
   */
  @ApiPropertyOptional({ type: () => ConvertDto })
  @IsOptional()
  @Nested(() => ConvertDto)
  convert?: ConvertDto;
}

/** A workflow to run, and how to answer. */
@ApiSchema({ name: 'GenerateBody', description: 'A workflow to run, and how to answer.' })
export class GenerateDto extends GenerateFileDto {
  /**
   * `url`: answer with JSON. `file`: answer with the bytes, as `/api/generate_file` does. `zip`, `multipart`: all files of the node in
   * one answer. `base64`: the JSON with the bytes in `base64`, of files up to BASE64_MAX_MB.
   */
  @ApiPropertyOptional({ type: 'string', enum: RESPONSE_TYPES, default: 'url', example: 'url' })
  @IsOptional()
  @IsIn(RESPONSE_TYPES, { message: RESPONSE_TYPE_WORDS })
  response_type?: ResponseType;
}

/** Which of a job's files is meant, and how to answer. */
export class ResultQueryDto {
  /** Which of the node's files is meant by `url` and by the bytes, from 0. */
  @ApiPropertyOptional({ type: 'integer', minimum: 0, default: 0 })
  @IsOptional()
  @Type(() => Number)
  @IsInt({ message: 'must be a whole number' })
  @Min(0, { message: 'must be 0 or more' })
  output_index?: number;

  /** `url`: answer with JSON. `file`: answer with the bytes. `zip`, `multipart`: all files of the node in one answer. `base64`: JSON with the bytes. */
  @ApiPropertyOptional({ type: 'string', enum: RESPONSE_TYPES, default: 'url' })
  @IsOptional()
  @IsIn(RESPONSE_TYPES, { message: RESPONSE_TYPE_WORDS })
  response_type?: ResponseType;
}

/** The file as ComfyUI made it. */
@ApiSchema({ name: 'OriginalFile', description: 'The file as ComfyUI made it.' })
export class OriginalDto {
  /** Where to get it; a path on this server where SERVER_BASE_URL is not set. */
  @ApiProperty({ format: 'uri-reference', example: FILE_URL })
  url!: string;
  /** Media type, read from the bytes. */
  @ApiProperty({ example: 'image/png' })
  content_type!: string;
  /** Length in bytes. */
  @ApiProperty({ type: 'integer', format: 'int64', minimum: 0, example: 4_752 })
  size!: number;
  /** Name of the stored file. */
  @ApiProperty({ example: FILE_NAME })
  filename!: string;
  /** When `url` stops working; null: it does not. */
  @ApiProperty({ type: 'string', format: 'date-time', nullable: true, example: null })
  expires_at!: string | null;
}

/** One file or text that the output node made. */
@ApiSchema({ name: 'OutputFile', description: 'One file or text that the output node made.' })
export class OutputDto {
  /** The node that made it. */
  @ApiProperty({ example: '277' })
  node_id!: string;
  /** The asset that it is: `GET /api/v2/assets/{id}`. A media input of a workflow may name it by this id, or by `url`. */
  @ApiProperty({ format: 'uuid', example: ASSET_ID })
  asset_id!: string;
  /** Its place among the node's files, from 0. */
  @ApiProperty({ type: 'integer', minimum: 0, example: 0 })
  index!: number;
  /** What it is, told from its bytes; where those say nothing, from what ComfyUI calls it. `file`: anything else. */
  @ApiProperty({ type: 'string', enum: OUTPUT_TYPES, example: 'image' })
  kind!: OutputType;
  /** Where to get it; a path on this server where SERVER_BASE_URL is not set. */
  @ApiProperty({ format: 'uri-reference', example: FILE_URL })
  url!: string;
  /** Media type, read from the bytes. */
  @ApiProperty({ example: 'image/png' })
  content_type!: string;
  /** Length in bytes. */
  @ApiProperty({ type: 'integer', format: 'int64', minimum: 0, example: 4_752 })
  size!: number;
  /** Name of the stored file. */
  @ApiProperty({ example: FILE_NAME })
  filename!: string;
  /** When `url` stops working; null: it does not. */
  @ApiProperty({ type: 'string', format: 'date-time', nullable: true, example: null })
  expires_at!: string | null;
  /** Of a text: the text itself, where it has 10,000 characters at most, and all texts of the job together 100,000. Else it is at `url` only. */
  @ApiPropertyOptional({ type: 'string', maxLength: 10_000 })
  text?: string;
  /** With `convert`: what it was converted from. */
  @ApiPropertyOptional({ type: () => OriginalDto })
  original?: OriginalDto;
}

/** Where the time went, in milliseconds. */
@ApiSchema({ name: 'Timings', description: 'Where the time went, in milliseconds.' })
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
  /** All of it. */
  @ApiProperty({ type: 'integer', minimum: 0, example: 4_215 })
  total_ms!: number;
}

/** The result of a workflow. */
@ApiSchema({ name: 'GenerateReply', description: 'The result of a workflow.' })
export class GenerateReplyDto {
  /** The picture: the file that `output_index` picks. A path on this server where SERVER_BASE_URL is not set. */
  @ApiProperty({ format: 'uri-reference', example: FILE_URL })
  url!: string;
  /** When `url` stops working; null: it does not. */
  @ApiProperty({ type: 'string', format: 'date-time', nullable: true, example: null })
  expires_at!: string | null;
  /** With `response_type: "base64"`: the bytes of the file that `output_index` picks (RFC 4648, 4). */
  @ApiPropertyOptional({ type: 'string', format: 'byte' })
  base64?: string;
  /** With `base64`: its media type. */
  @ApiPropertyOptional({ type: 'string', example: 'image/png' })
  content_type?: string;
  /** The job that made it. */
  @ApiProperty({ format: 'uuid', example: JOB_ID })
  job_id!: string;
  /** Every file of the output node, then its texts. */
  @ApiProperty({ type: () => [OutputDto] })
  outputs!: OutputDto[];
  @ApiProperty({ type: () => TimingsDto })
  timings!: TimingsDto;
  /** How often it was tried: more than once where a backend was lost, or ran out of memory. */
  @ApiProperty({ type: 'integer', minimum: 1, example: 1 })
  attempts!: number;
  /** How the pictures came. `files` also where `socket` was asked for, and could not be had. */
  @ApiProperty({ type: 'string', enum: ['files', 'socket'], example: 'files' })
  outputs_via!: 'files' | 'socket';
  /** Branches of the workflow that ComfyUI skipped, by node id; absent where it ran all. */
  @ApiPropertyOptional({
    type: 'object',
    additionalProperties: { $ref: getSchemaPath(NodeErrorsDto) },
    example: NODE_ERRORS_EXAMPLE,
  })
  node_errors?: Record<string, NodeErrorsDto>;
  /** What went wrong without ending the job: files that are missing, branches that failed; absent where nothing did. */
  @ApiPropertyOptional({ type: () => [JobWarningDto] })
  warnings?: JobWarningDto[];
  /** Seeds that were drawn for inputs that said `-1`, `null` or nothing; absent where none was. */
  @ApiPropertyOptional({ type: () => [DrawnSeedDto] })
  seeds?: DrawnSeedDto[];
  /** Who is told of the job, and how that goes; absent without `webhook_url`. */
  @ApiPropertyOptional({ type: () => JobWebhookDto })
  webhook?: JobWebhookDto;
}

/** A job that has not ended yet. */
@ApiSchema({ name: 'PendingReply', description: 'A job that has not ended yet.' })
export class PendingReplyDto {
  /** The job; ask again. */
  @ApiProperty({ format: 'uuid', example: JOB_ID })
  job_id!: string;
  /** Where to ask; a path on this server where SERVER_BASE_URL is not set. */
  @ApiProperty({ format: 'uri-reference', example: `/api/generate/${JOB_ID}` })
  job_url!: string;
  /** `storing`: ComfyUI is done, the files are on their way. */
  @ApiProperty({ type: 'string', enum: ['queued', 'running', 'storing'], example: 'running' })
  status!: 'queued' | 'running' | 'storing';
  /** Jobs before it in the waiting line; absent once it runs. */
  @ApiPropertyOptional({ type: 'integer', minimum: 0, example: 0 })
  position?: number;
  /** Milliseconds until a ComfyUI begins with it, learned from earlier jobs; absent where nobody can tell. */
  @ApiPropertyOptional({ type: 'integer', minimum: 0, example: 0 })
  starts_in_ms?: number;
  /** Milliseconds until its result is there, learned from earlier jobs; absent where nobody can tell. */
  @ApiPropertyOptional({ type: 'integer', minimum: 0, example: 4_200 })
  ends_in_ms?: number;
  /** How far it is, from 0 to 1. */
  @ApiProperty({ type: 'number', minimum: 0, maximum: 1, example: 0.42 })
  progress!: number;
  /** Seeds that were drawn for inputs that said `-1`, `null` or nothing; absent where none was. */
  @ApiPropertyOptional({ type: () => [DrawnSeedDto] })
  seeds?: DrawnSeedDto[];
  /** Who is told of the job, and how that goes; absent without `webhook_url`. */
  @ApiPropertyOptional({ type: () => JobWebhookDto })
  webhook?: JobWebhookDto;
}
