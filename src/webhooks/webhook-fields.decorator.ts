import { applyDecorators } from '@nestjs/common';
import { ApiPropertyOptional } from '@nestjs/swagger';
import { ArrayMaxSize, ArrayMinSize, IsArray, IsIn, IsOptional, IsString, Length } from 'class-validator';
import { DEFAULT_EVENTS, WEBHOOK_EVENTS } from './webhook-events.js';

/** Characters of a URL that is called. */
const MAX_URL_LENGTH = 2_048;

/** The field of a request that says who is told of its job; which hosts may be called `Webhooks.attach` checks. */
export function WebhookUrlField(): PropertyDecorator {
  return applyDecorators(
    ApiPropertyOptional({
      type: 'string',
      format: 'uri',
      maxLength: MAX_URL_LENGTH,
      description:
        'Where the end of the job is told, signed as in Standard Webhooks (see `WebhookPayload`), for a day until it is taken. An `http(s)` URL of the public internet, or of a host in FETCH_ALLOW_HOSTS. Such a job is not cancelled by hanging up.',
    }),
    IsOptional(),
    IsString({ message: 'must be text' }),
    Length(1, MAX_URL_LENGTH, { message: `must be a URL of at most ${MAX_URL_LENGTH} characters` }),
  );
}

/** The field of a request that says what of its job `webhook_url` is told. */
export function WebhookEventsField(): PropertyDecorator {
  const accepted = WEBHOOK_EVENTS.join(', ');
  return applyDecorators(
    ApiPropertyOptional({
      type: 'array',
      items: { type: 'string', enum: [...WEBHOOK_EVENTS] },
      minItems: 1,
      maxItems: WEBHOOK_EVENTS.length,
      default: DEFAULT_EVENTS,
      description:
        'What `webhook_url` is told. `job.progress` comes once a second at most, is tried once, and is dropped where a newer one or the end is there.',
    }),
    IsOptional(),
    IsArray({ message: `must be a list of ${accepted}` }),
    ArrayMinSize(1, { message: 'must name an event' }),
    ArrayMaxSize(WEBHOOK_EVENTS.length, { message: `must name at most ${WEBHOOK_EVENTS.length} events` }),
    IsIn(WEBHOOK_EVENTS, { each: true, message: `must be a list of ${accepted}` }),
  );
}
