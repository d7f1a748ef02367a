export { type Attachment, Idempotency, type Submission } from './idempotency.js';
export {
  IDEMPOTENCY_HEADER,
  IdempotencyKey,
  type IdempotencyKeyOf,
  tellReplay,
} from './idempotency-key.decorator.js';
export { IdempotencyModule } from './idempotency.module.js';
