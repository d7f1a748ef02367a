import { Module } from '@nestjs/common';
import { IdempotencyModule } from '../idempotency/index.js';
import { GenerateController } from './generate.controller.js';
import { ConfigurableModuleClass } from './generate.module-definition.js';
import { GenerateService } from './generate.service.js';

/** The user's two endpoints. Needs `ComfyService`, `Storage` and `Webhooks` in reach. */
@Module({ imports: [IdempotencyModule], controllers: [GenerateController], providers: [GenerateService] })
export class GenerateModule extends ConfigurableModuleClass {}
