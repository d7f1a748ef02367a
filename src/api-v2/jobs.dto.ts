import { ApiProperty, ApiPropertyOptional, ApiSchema } from '@nestjs/swagger';
import { Type } from 'class-transformer';
import {
  Allow,
  IsBoolean,
  IsIn,
  IsInt,
  IsObject,
  IsOptional,
  Matches,
  Max,
  MaxLength,
  Min,
} from 'class-validator';
import { DrawnSeedDto, JobWarningDto } from '../job-view/index.js';
import { OUTPUT_TYPES, type OutputType } from '../comfy/index.js';
import { ExtraDataDto } from '../request/index.js';
import { JobWebhookDto, type WebhookEvent, WebhookEventsField, WebhookUrlField } from '../webhooks/index.js';

const JOB_ID = '7b87c392-de65-410f-9557-0ac08ad2a975';
const WORKFLOW_EXAMPLE = {
  '1': { class_type: 'EmptyImage', inputs: { width: 512, height: 512, batch_size: 1, color: 3_381_759 } },
  '277': { class_type: 'SaveImage', inputs: { images: ['1', 0], filename_prefix: 'demo' } },
};

export const CONTRACT_STATUSES = [
  'queued',
  'running',
  'succeeded',
  'canceling',
  'canceled',
  'failed',
  'expired',
] as const;

// Every property is decorated, also where the compiler's plugin could tell all of it: the document lists decorated
// ones first.

/** A workflow to run. */
@ApiSchema({ name: 'PostJobsBody', description: 'A workflow to run.' })
export class PostJobsDto {
  /** The workflow in ComfyUI's API format. In place of a file's name, an input may hold an asset: `{"__type": "core/ASSET", "info": {"id": "…"}}`. */
  @ApiProperty({ type: 'object', additionalProperties: true, example: WORKFLOW_EXAMPLE })
  @Allow()
  workflow!: Record<string, unknown>;

  /** Keys of partner nodes, and what save nodes write into their files; passed on in the prompt's `extra_data`. */
  @ApiPropertyOptional({ type: () => ExtraDataDto })
  @IsOptional()
  @IsObject({ message: 'must be an object' })
  extra_data?: ExtraDataDto;

  /** What nodes only show (PreviewImage) comes as well where something is saved; it comes in any case where nothing else is there. An extension of the contract. */
  @ApiPropertyOptional({ type: 'boolean', default: false })
  @IsOptional()
  @IsBoolean({ message: 'must be true or false' })
  include_temp?: boolean;

  /** How pictures come from ComfyUI: `files` that it saves, or over its `socket`; without it, as COMFYUI_OUTPUTS says. An extension of the contract. */
  @ApiPropertyOptional({ type: 'string', enum: ['files', 'socket'] })
  @IsOptional()
  @IsIn(['files', 'socket'], { message: 'must be "files" or "socket"' })
  outputs_via?: 'files' | 'socket';

  /** Jobs of a higher priority go first; within one, callers take turns. An extension of the contract. */
  @ApiPropertyOptional({ type: 'integer', minimum: -100, maximum: 100, default: 0 })
  @IsOptional()
  @IsInt({ message: 'must be a whole number' })
  @Min(-100, { message: 'must be -100 or more' })
  @Max(100, { message: 'must be 100 or less' })
  priority?: number;

  @WebhookUrlField()
  webhook_url?: string;

  @WebhookEventsField()
  webhook_events?: WebhookEvent[];
}

/** Which jobs to list. */
export class ListJobsQueryDto {
  /** Only jobs of this status; several separated by commas. */
  @ApiPropertyOptional({ type: 'string', example: 'queued,running' })
  @IsOptional()
  @Matches(new RegExp(`^(${CONTRACT_STATUSES.join('|')})(,(${CONTRACT_STATUSES.join('|')}))*$`), {
    message: `must be one or more of ${CONTRACT_STATUSES.join(', ')}, separated by commas`,
  })
  @MaxLength(200, { message: 'must be 200 characters or fewer' })
  status?: string;

  /** Jobs on a page. */
  @ApiPropertyOptional({ type: 'integer', minimum: 1, maximum: 100, default: 20 })
  @IsOptional()
  @Type(() => Number)
  @IsInt({ message: 'must be a whole number' })
  @Min(1, { message: 'must be 1 or more' })
  @Max(100, { message: 'must be 100 or less' })
  limit?: number;

  /** `next_cursor` of the page before, with the same `status`. */
  @ApiPropertyOptional({ type: 'string' })
  @IsOptional()
  @Matches(/^[A-Za-z0-9_-]{1,32}$/, { message: 'must be the next_cursor of another page' })
  cursor?: string;
}

/** How far a job is. */
@ApiSchema({ name: 'ContractProgress', description: 'How far a job is; each one is complete.' })
export class ContractProgressDto {
  /** Over all nodes, each weighted by its steps. */
  @ApiProperty({ minimum: 0, maximum: 1, example: 0.42 })
  value!: number;
  @ApiProperty({ type: 'integer', example: 3 })
  nodes_done!: number;
  @ApiProperty({ type: 'integer', example: 7 })
  nodes_total!: number;
  /** The node at work. */
  @ApiProperty({ type: 'string', nullable: true, example: '3' })
  current_node!: string | null;
  /** Its `class_type`. */
  @ApiProperty({ type: 'string', nullable: true, example: 'KSampler' })
  current_node_class!: string | null;
  /** Steps of that node done. */
  @ApiProperty({ type: 'integer', nullable: true, example: 8 })
  step!: number | null;
  /** Steps of that node to do. */
  @ApiProperty({ type: 'integer', nullable: true, example: 20 })
  steps!: number | null;
  @ApiProperty({ type: 'string', nullable: true, example: null })
  message!: string | null;
}

/** The file that an output was converted from; it is an asset. */
@ApiSchema({
  name: 'ContractOriginal',
  description: 'The file that an output was converted from; it is an asset.',
})
export class ContractOriginalDto {
  /** The asset's id. */
  @ApiProperty({ format: 'uuid' })
  id!: string;
  @ApiProperty({ example: 'image/png' })
  content_type!: string;
  @ApiProperty({ type: 'integer', format: 'int64', example: 4_752 })
  size_bytes!: number;
  @ApiProperty({ format: 'uri' })
  url!: string;
}

/** One file that a job made; it is an asset. */
@ApiSchema({ name: 'ContractOutput', description: 'One file that a job made; it is an asset.' })
export class ContractOutputDto {
  /** The node that made it. */
  @ApiProperty({ example: '277' })
  node_id!: string;
  /** What ComfyUI called it. */
  @ApiProperty({ example: 'demo_00001_.png' })
  name!: string;
  @ApiProperty({ type: 'string', enum: OUTPUT_TYPES })
  type!: OutputType;
  /** Media type, read from the bytes. */
  @ApiProperty({ example: 'image/png' })
  content_type!: string;
  @ApiProperty({ type: 'integer', format: 'int64', example: 4_752 })
  size_bytes!: number;
  /** The asset's id. */
  @ApiProperty({ format: 'uuid' })
  id!: string;
  /** `blake3:<hex>`; null until it was computed. */
  @ApiProperty({ type: 'string', nullable: true, example: null })
  hash!: string | null;
  @ApiProperty({ format: 'uri' })
  url!: string;
  @ApiProperty({ format: 'date-time' })
  url_expires_at!: string;
  @ApiProperty({ type: 'string', format: 'uuid', nullable: true, example: JOB_ID })
  job_id!: string | null;
  /** Of a text: the text itself, where it has 10,000 characters at most, and all texts of the job together 100,000. An extension of the contract. */
  @ApiPropertyOptional({ type: 'string', maxLength: 10_000 })
  text?: string;
  /** What it was converted from, where it was. An extension of the contract. */
  @ApiPropertyOptional({ type: () => ContractOriginalDto })
  original?: ContractOriginalDto;
}

/** Why a job failed. */
@ApiSchema({ name: 'ContractJobError', description: 'Why a job failed.' })
export class ContractJobErrorDto {
  /** One of the codes in docs/errors.md. */
  @ApiProperty({ example: 'node_execution_error' })
  code!: string;
  @ApiProperty({ example: 'Node 3 (KSampler) failed: ValueError: the seed must not be negative' })
  message!: string;
  @ApiProperty({ type: 'string', nullable: true, example: '3' })
  node_id!: string | null;
  @ApiProperty({ type: 'string', nullable: true, example: 'KSampler' })
  class_type!: string | null;
  /** Always null: it would name paths of the backend. */
  @ApiProperty({ type: 'string', nullable: true, example: null })
  traceback!: string | null;
}

/** Links to follow. */
@ApiSchema({
  name: 'ContractJobUrls',
  description: 'Links to follow; relative to this host where SERVER_BASE_URL is not set.',
})
export class ContractJobUrlsDto {
  @ApiProperty({ format: 'uri-reference', example: `/api/v2/jobs/${JOB_ID}` })
  self!: string;
  @ApiProperty({ format: 'uri-reference', example: `/api/v2/jobs/${JOB_ID}/events` })
  events!: string;
  @ApiProperty({ format: 'uri-reference', example: `/api/v2/jobs/${JOB_ID}/cancel` })
  cancel!: string;
}

/** One execution of a workflow. */
@ApiSchema({ name: 'ContractJob', description: 'One execution of a workflow.' })
export class ContractJobDto {
  @ApiProperty({ format: 'uuid', example: JOB_ID })
  id!: string;
  /** `canceling` and `expired` do not occur here: a cancel takes effect at once, and what has expired is gone. */
  @ApiProperty({ type: 'string', enum: CONTRACT_STATUSES, example: 'running' })
  status!: (typeof CONTRACT_STATUSES)[number];
  @ApiProperty({ format: 'date-time' })
  created_at!: string;
  @ApiProperty({ type: 'string', format: 'date-time', nullable: true })
  started_at!: string | null;
  @ApiProperty({ type: 'string', format: 'date-time', nullable: true })
  completed_at!: string | null;
  /** Kept until then, with its files, where STATE_DIR is set. */
  @ApiProperty({ format: 'date-time' })
  expires_at!: string;
  /** Jobs before it in line; null where it does not wait. */
  @ApiProperty({ type: 'integer', nullable: true, example: null })
  queue_position!: number | null;
  @ApiProperty({ type: () => ContractProgressDto, nullable: true })
  progress!: ContractProgressDto | null;
  /** Grows while the job runs. */
  @ApiProperty({ type: () => [ContractOutputDto] })
  outputs!: ContractOutputDto[];
  @ApiProperty({ type: () => ContractJobErrorDto, nullable: true })
  error!: ContractJobErrorDto | null;
  /**
   * Milliseconds: `queue_ms`, `execution_ms`, `storage_ms`, `total_ms`; and what is expected, learned from earlier jobs,
   * `starts_in_ms` and `ends_in_ms`, null where nobody can tell. `attempts`: how often it was tried.
   */
  @ApiProperty({
    type: 'object',
    additionalProperties: { type: 'integer', nullable: true },
    example: {
      queue_ms: 3,
      execution_ms: null,
      storage_ms: null,
      total_ms: null,
      starts_in_ms: 0,
      ends_in_ms: 4_200,
      attempts: 1,
    },
  })
  metrics!: Record<string, number | null>;
  @ApiProperty({ type: () => ContractJobUrlsDto })
  urls!: ContractJobUrlsDto;
  /** How the pictures come, or came; null until that is decided. An extension of the contract. */
  @ApiProperty({ type: 'string', enum: ['files', 'socket'], nullable: true, example: 'files' })
  outputs_via!: 'files' | 'socket' | null;
  /** What went wrong without ending the job; absent where nothing did. An extension of the contract. */
  @ApiPropertyOptional({ type: () => [JobWarningDto] })
  warnings?: JobWarningDto[];
  /** Seeds that were drawn for inputs that said `-1`, `null` or nothing; absent where none was. An extension of the contract. */
  @ApiPropertyOptional({ type: () => [DrawnSeedDto] })
  seeds?: DrawnSeedDto[];
  /** Who is told of it, and how that goes; absent without `webhook_url`. An extension of the contract. */
  @ApiPropertyOptional({ type: () => JobWebhookDto })
  webhook?: JobWebhookDto;
}

/** Jobs, the newest first. */
@ApiSchema({ name: 'ContractJobList', description: 'Jobs, the newest first.' })
export class ContractJobListDto {
  @ApiProperty({ type: () => [ContractJobDto] })
  jobs!: ContractJobDto[];
  /** For `cursor`; absent on the last page. */
  @ApiPropertyOptional({ example: 'MTAw' })
  next_cursor?: string;
}

/** The workflow behind a job. */
@ApiSchema({ name: 'ContractJobWorkflow', description: 'The workflow behind a job.' })
export class ContractJobWorkflowDto {
  /** As it was sent. */
  @ApiProperty({ type: 'object', additionalProperties: true, example: WORKFLOW_EXAMPLE })
  workflow!: Record<string, unknown>;
  @ApiProperty({ type: 'string', enum: ['api'] })
  format!: 'api';
}

/** Can jobs be run? */
@ApiSchema({ name: 'ContractHealth', description: 'Can jobs be run?' })
export class ContractHealthDto {
  @ApiProperty({ type: 'string', enum: ['ok', 'unavailable'] })
  status!: 'ok' | 'unavailable';
  /** ComfyUIs that get jobs. */
  @ApiProperty({ type: 'integer', example: 4 })
  usable_backends!: number;
  /** ComfyUIs that are set up. */
  @ApiProperty({ type: 'integer', example: 4 })
  backends!: number;
  /** Jobs that wait. */
  @ApiProperty({ type: 'integer', example: 0 })
  queued_jobs!: number;
}
