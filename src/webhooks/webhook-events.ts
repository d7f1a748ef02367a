import type { JobState } from '../comfy/index.js';

/** What a receiver can be told of; part of the API. */
export const WEBHOOK_EVENTS = ['job.succeeded', 'job.failed', 'job.cancelled', 'job.progress'] as const;

export type WebhookEvent = (typeof WEBHOOK_EVENTS)[number];

/** What it is told of where it does not say. */
export const DEFAULT_EVENTS: readonly WebhookEvent[] = ['job.succeeded', 'job.failed', 'job.cancelled'];

/** The event that a job's end is; undefined before it. */
export function endEventOf({ status }: Pick<JobState, 'status'>): WebhookEvent | undefined {
  switch (status) {
    case 'succeeded':
      return 'job.succeeded';
    case 'failed':
      return 'job.failed';
    case 'cancelled':
      return 'job.cancelled';
    default:
      return undefined;
  }
}
