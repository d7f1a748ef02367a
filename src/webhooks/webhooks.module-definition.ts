import { ConfigurableModuleBuilder } from '@nestjs/common';
import type { WebhookSecret } from './signer.js';

export interface WebhooksOptions {
  /** Keys that sign, the newest first; absent or empty: there are no webhooks. */
  secrets?: readonly WebhookSecret[] | undefined;
  /** Milliseconds from each try at a delivery to the next; a dead letter after the last. @default SCHEDULE_MS, over a day */
  scheduleMs?: readonly number[] | undefined;
  /** Milliseconds for one try, the whole answer included. @default 15000 */
  tryMs?: number | undefined;
  /** Put before links to this server; they are relative without it. */
  baseUrl?: string | undefined;
  /** Milliseconds that settled deliveries are kept, where the state has a folder; absent: for ever. */
  retentionMs?: number | undefined;
  /** Milliseconds from the beginning of a stop that calls under way have to end. @default 25000 */
  shutdownGraceMs?: number | undefined;
}

export const { ConfigurableModuleClass, MODULE_OPTIONS_TOKEN: WEBHOOKS_OPTIONS } =
  new ConfigurableModuleBuilder<WebhooksOptions>().setClassMethodName('forRoot').build();
