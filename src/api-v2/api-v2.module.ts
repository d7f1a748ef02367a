import { Module } from '@nestjs/common';
import { FeedModule } from '../feed/index.js';
import { IdempotencyModule } from '../idempotency/index.js';
import { UploadModule } from '../upload/index.js';
import { ConfigurableModuleClass } from './api-v2.module-definition.js';
import { AssetsController } from './assets.controller.js';
import { ContractJobs } from './contract-jobs.js';
import { EventsController } from './events.controller.js';
import { ContractHealthController } from './health.controller.js';
import { JobsController } from './jobs.controller.js';

/** Comfy API v2. Needs `ComfyService`, `Assets`, `Storage`, `StateDatabase` and `Webhooks` in reach. */
@Module({
  imports: [FeedModule, IdempotencyModule, UploadModule],
  controllers: [JobsController, EventsController, AssetsController, ContractHealthController],
  providers: [ContractJobs],
})
export class ApiV2Module extends ConfigurableModuleClass {}
