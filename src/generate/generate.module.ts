import { Module } from '@nestjs/common';
import { IdempotencyModule } from '../idempotency/index.js';
import { UploadModule } from '../upload/index.js';
import { GenerateController } from './generate.controller.js';
import { ConfigurableModuleClass } from './generate.module-definition.js';
import { GenerateService } from './generate.service.js';

/** The user's two endpoints. Needs `ComfyService`, `Storage`, `Assets` and `Webhooks` in reach. */
@Module({
  imports: [IdempotencyModule, UploadModule],
  controllers: [GenerateController],
  providers: [GenerateService],
})
export class GenerateModule extends ConfigurableModuleClass {}
