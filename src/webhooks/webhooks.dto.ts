import { ApiProperty, ApiPropertyOptional, ApiSchema } from '@nestjs/swagger';
import { Type } from 'class-transformer';
import { IsIn, IsInt, IsOptional, Matches, Max, Min } from 'class-validator';
import { WEBHOOK_EVENTS, type WebhookEvent } from './webhook-events.js';

const JOB_ID = '7b87c392-de65-410f-9557-0ac08ad2a975';
const DELIVERY_ID = 'msg_0b9a1f0e-4c65-4b8e-9d3e-6d1f0f5a8c21';
const TIME = '2026-11-24T09:30:00.000Z';
const STATUSES = ['pending', 'delivered', 'dead'] as const;

/** How a delivery goes. */
class DeliveryStateDto {
  @ApiProperty({ type: 'string', enum: WEBHOOK_EVENTS, example: 'job.succeeded' })
  event!: WebhookEvent;
  /** `pending`: on its way, or to be tried again. `delivered`: taken. `dead`: given up. */
  @ApiProperty({ type: 'string', enum: STATUSES, example: 'pending' })
  status!: (typeof STATUSES)[number];
  /** Tries so far. */
  @ApiProperty({ type: 'integer', minimum: 0, example: 2 })
  attempts!: number;
  /** HTTP status of the last answer; null where there was none. */
  @ApiProperty({ type: 'integer', nullable: true, example: 503 })
  last_status!: number | null;
  /** Why the last try had no answer, e.g. `timeout`, `unreachable`, `not_allowed`; null where it had one. */
  @ApiProperty({ type: 'string', nullable: true, example: null })
  last_error!: string | null;
  /** When the last try ended. */
  @ApiProperty({ type: 'string', format: 'date-time', nullable: true, example: TIME })
  last_at!: string | null;
  /** When it is tried next; null: not any more. */
  @ApiProperty({ type: 'string', format: 'date-time', nullable: true, example: TIME })
  next_at!: string | null;
}

/** How one event of a job is delivered. */
@ApiSchema({ name: 'JobDelivery', description: 'How one event of a job is delivered.' })
export class JobDeliveryDto extends DeliveryStateDto {
  /** The `webhook-id`, the same for every try; null for `job.progress`, where each message has its own. */
  @ApiProperty({ type: 'string', nullable: true, example: DELIVERY_ID })
  id!: string | null;
}

/** Who is told of a job, and how that goes. */
@ApiSchema({ name: 'JobWebhook', description: 'Who is told of a job, and how that goes.' })
export class JobWebhookDto {
  /** `webhook_url` without its query. */
  @ApiProperty({ format: 'uri', example: 'https://studio.example.com/hooks/comfy' })
  url!: string;
  /** What it is told. */
  @ApiProperty({ type: 'array', items: { type: 'string', enum: [...WEBHOOK_EVENTS] } })
  events!: WebhookEvent[];
  /** What there was to tell so far, in order. */
  @ApiProperty({ type: () => [JobDeliveryDto] })
  deliveries!: JobDeliveryDto[];
}

/** A delivery, as operators see it. */
@ApiSchema({ name: 'WebhookDelivery', description: 'A delivery, as operators see it.' })
export class DeliveryDto extends DeliveryStateDto {
  /** The `webhook-id`, the same for every try. */
  @ApiProperty({ type: 'string', example: DELIVERY_ID })
  id!: string;
  @ApiProperty({ format: 'uuid', example: JOB_ID })
  job_id!: string;
  /** `webhook_url` without its query. */
  @ApiProperty({ format: 'uri', example: 'https://studio.example.com/hooks/comfy' })
  url!: string;
  @ApiProperty({ type: 'string', format: 'date-time', example: TIME })
  created_at!: string;
}

/** What a receiver is told of a job. */
@ApiSchema({
  name: 'WebhookJob',
  description: 'What a receiver is told of a job; what there is nothing to say about is absent.',
})
export class WebhookJobDto {
  @ApiProperty({ format: 'uuid', example: JOB_ID })
  job_id!: string;
  /** Where the job can be asked for; a path on this server where SERVER_BASE_URL is not set. */
  @ApiProperty({ format: 'uri-reference', example: `https://pictures.example.com/api/generate/${JOB_ID}` })
  job_url!: string;
  @ApiProperty({
    type: 'string',
    enum: ['queued', 'running', 'storing', 'succeeded', 'failed', 'cancelled'],
    example: 'succeeded',
  })
  status!: 'queued' | 'running' | 'storing' | 'succeeded' | 'failed' | 'cancelled';
  /** With `job.succeeded`: every file, as in the reply of `/api/generate`. */
  @ApiPropertyOptional({
    type: 'array',
    items: { type: 'object', additionalProperties: true },
    example: [
      {
        index: 0,
        node_id: '277',
        kind: 'image',
        url: 'https://pictures.example.com/output_images/image_1795460610911_0a1b2c3d4e5f.png',
        content_type: 'image/png',
        size: 4_752,
        filename: 'image_1795460610911_0a1b2c3d4e5f.png',
        expires_at: null,
      },
    ],
  })
  outputs?: Record<string, unknown>[];
  /** With `job.failed` and `job.cancelled`: `code`, `message`, and `node_errors` where there are any. */
  @ApiPropertyOptional({ type: 'object', additionalProperties: true })
  error?: Record<string, unknown>;
  /** Branches of the workflow that ComfyUI skipped, by node id. */
  @ApiPropertyOptional({ type: 'object', additionalProperties: true })
  node_errors?: Record<string, unknown>;
  /** What went wrong without ending the job: `code`, `message`, `node_id`; absent where nothing did. */
  @ApiPropertyOptional({ type: 'array', items: { type: 'object', additionalProperties: true } })
  warnings?: Record<string, unknown>[];
  /** With `job.progress`: `value` (0 to 1), `node_id`, `class_type`, `step`, `steps`, `nodes_done`, `nodes_total`. */
  @ApiPropertyOptional({ type: 'object', additionalProperties: true })
  progress?: Record<string, unknown>;
  /** Milliseconds: `queued_ms`, `rendering_ms`, `storing_ms`, `total_ms`. */
  @ApiPropertyOptional({
    type: 'object',
    additionalProperties: { type: 'integer' },
    example: { queued_ms: 3, rendering_ms: 4_200, storing_ms: 12, total_ms: 4_215 },
  })
  timings?: Record<string, number>;
  /** How often the job was tried. */
  @ApiPropertyOptional({ type: 'integer', minimum: 1, example: 1 })
  attempts?: number;
  /** True where node errors, warnings and outputs were left out, because they were more than 64 KiB; `job_url` has all. */
  @ApiPropertyOptional()
  truncated?: true;
}

/** The body of a webhook (https://www.standardwebhooks.com), with the headers `webhook-id`, `webhook-timestamp`, `webhook-signature`. */
@ApiSchema({
  name: 'WebhookPayload',
  description:
    'The body of a webhook ([Standard Webhooks](https://www.standardwebhooks.com)), sent as POST with the headers `webhook-id` (the same for every try of one delivery), `webhook-timestamp` (seconds, of this try) and `webhook-signature`.',
})
export class WebhookPayloadDto {
  @ApiProperty({ type: 'string', enum: WEBHOOK_EVENTS, example: 'job.succeeded' })
  type!: WebhookEvent;
  /** When it happened. */
  @ApiProperty({ type: 'string', format: 'date-time', example: TIME })
  timestamp!: string;
  @ApiProperty({ type: () => WebhookJobDto })
  data!: WebhookJobDto;
}

/** A delivery, and what is sent. */
@ApiSchema({ name: 'WebhookDeliveryWithPayload', description: 'A delivery, and what is sent.' })
export class DeliveryWithPayloadDto extends DeliveryDto {
  @ApiProperty({ type: () => WebhookPayloadDto })
  payload!: WebhookPayloadDto;
}

/** Deliveries, the newest first. */
@ApiSchema({ name: 'WebhookDeliveries', description: 'Deliveries, the newest first.' })
export class DeliveriesDto {
  @ApiProperty({ type: () => [DeliveryDto] })
  deliveries!: DeliveryDto[];
  /** For `cursor`; absent on the last page. */
  @ApiPropertyOptional({ example: 'MTAw' })
  next_cursor?: string;
}

/** Which deliveries to list. */
export class ListDeliveriesQueryDto {
  /** Only deliveries of this status; `dead` are the dead letters. */
  @ApiPropertyOptional({ type: 'string', enum: STATUSES })
  @IsOptional()
  @IsIn(STATUSES, { message: `must be one of ${STATUSES.join(', ')}` })
  status?: (typeof STATUSES)[number];

  /** Deliveries on a page. */
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
