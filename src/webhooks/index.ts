export { receiverOf, Signer, type WebhookSecret } from './signer.js';
export { TellsWebhook } from './tells-webhook.decorator.js';
export { WebhookEventsField, WebhookUrlField } from './webhook-fields.decorator.js';
export type { WebhookEvent } from './webhook-events.js';
export { type WebhookFields, Webhooks } from './webhooks.js';
export { JobWebhookDto } from './webhooks.dto.js';
export { WebhooksModule } from './webhooks.module.js';
export type { WebhooksOptions } from './webhooks.module-definition.js';
