import type { ProgressTally } from './progress-courier.js';
import type { Delivery, DeliveryStatus, Subscription } from './webhook-store.js';
import type {
  DeliveryDto,
  DeliveryWithPayloadDto,
  JobDeliveryDto,
  JobWebhookDto,
  WebhookPayloadDto,
} from './webhooks.dto.js';

/** Who is told of a job, and how that goes. */
export function toJobWebhook(
  { url, events }: Subscription,
  deliveries: readonly Delivery[],
  progress: ProgressTally | undefined,
): JobWebhookDto {
  return {
    url: withoutSecrets(url),
    events: [...events],
    deliveries: [
      ...(progress === undefined ? [] : [toProgress(progress)]),
      ...deliveries.map((one) => ({ id: one.id, ...toState(one) })),
    ],
  };
}

export function toDelivery(delivery: Delivery): DeliveryDto {
  return viewOf(delivery);
}

export function toDeliveryWithPayload(delivery: Delivery): DeliveryWithPayloadDto {
  return { ...viewOf(delivery), payload: JSON.parse(delivery.body) as WebhookPayloadDto };
}

function viewOf(delivery: Delivery) {
  return {
    ...toState(delivery),
    id: delivery.id,
    job_id: delivery.job,
    url: withoutSecrets(delivery.url),
    created_at: iso(delivery.created),
  };
}

function toState({ event, status, attempts, lastStatus, lastError, lastAt, due }: Delivery) {
  return {
    event,
    status,
    attempts,
    last_status: lastStatus,
    last_error: lastError,
    last_at: lastAt === null ? null : iso(lastAt),
    next_at: due === null ? null : iso(due),
  };
}

/** Each message is tried once, so that the last one tells. */
function toProgress({ attempts, lastStatus, lastError, lastAt }: ProgressTally): JobDeliveryDto {
  return {
    id: null,
    event: 'job.progress',
    status: progressStatus(attempts, lastStatus, lastError),
    attempts,
    last_status: lastStatus,
    last_error: lastError,
    last_at: lastAt === null ? null : iso(lastAt),
    next_at: null,
  };
}

function progressStatus(attempts: number, status: number | null, error: string | null): DeliveryStatus {
  if (attempts === 0) return 'pending';
  return error === null && status !== null && status >= 200 && status < 300 ? 'delivered' : 'dead';
}

/** A query may hold a token, and whoever has a job's id may see this. */
function withoutSecrets(url: string): string {
  const { origin, pathname } = new URL(url);
  return `${origin}${pathname}`;
}

function iso(ms: number): string {
  return new Date(ms).toISOString();
}
