import { applyDecorators } from '@nestjs/common';
import { ApiCallbacks, ApiExtraModels } from '@nestjs/swagger';
import { WebhookPayloadDto } from './webhooks.dto.js';

/** Documents that an operation's `webhook_url` is called. */
export function TellsWebhook(): MethodDecorator {
  return applyDecorators(
    ApiExtraModels(WebhookPayloadDto),
    ApiCallbacks({
      name: 'job',
      callbackUrl: '{$request.body#/webhook_url}',
      method: 'post',
      requestBody: { type: WebhookPayloadDto },
      expectedResponse: {
        status: 200,
        description:
          'Taken, as is any other 2xx whose answer comes to its end within 15 s. 410: nothing more of it. Else it is tried again, over a day.',
      },
    }),
  );
}
