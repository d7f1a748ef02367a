import { applyDecorators } from '@nestjs/common';
import { ApiPropertyOptional } from '@nestjs/swagger';
import { IsOptional, Length, ValidateBy } from 'class-validator';
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
        'Where the end of the job is told, signed as in Standard Webhooks (see `WebhookPayload`) with a secret of this receiver, for a day until it is taken. An `http(s)` URL of the public internet, or of a host in FETCH_ALLOW_HOSTS. Such a job is not cancelled by hanging up.',
    }),
    IsOptional(),
    Length(1, MAX_URL_LENGTH, { message: `must be a URL of at most ${MAX_URL_LENGTH} characters` }),
  );
}

/** The field of a request that says what of its job `webhook_url` is told. */
export function WebhookEventsField(): PropertyDecorator {
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
    ValidateBy({
      name: 'isWebhookEvents',
      validator: {
        validate: isListOfEvents,
        defaultMessage: () => `must be a list of one or more of ${WEBHOOK_EVENTS.join(', ')}`,
      },
    }),
  );
}

function isListOfEvents(value: unknown): boolean {
  return (
    Array.isArray(value) &&
    value.length > 0 &&
    value.length <= WEBHOOK_EVENTS.length &&
    value.every((event) => WEBHOOK_EVENTS.includes(event as never))
  );
}
