import { Global, Module } from '@nestjs/common';
import { Webhooks } from './webhooks.js';
import { WebhooksController } from './webhooks.controller.js';
import { ConfigurableModuleClass } from './webhooks.module-definition.js';

/**
 * Who is told of a job: `WebhooksModule.forRoot(options)` or `forRootAsync`. Global. Needs `ComfyService`, `StateDatabase`,
 * `Outbound` and `AdminModule` in reach, and is imported behind `ComfyModule`, which has to take up its jobs first.
 */
@Global()
@Module({ controllers: [WebhooksController], providers: [Webhooks], exports: [Webhooks] })
export class WebhooksModule extends ConfigurableModuleClass {}
