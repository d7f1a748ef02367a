import { Module } from '@nestjs/common';
import { BackendsController } from './backends.controller.js';
import { ConfigurableModuleClass } from './backends.module-definition.js';

/** What operators see and say of the backends. Needs `ComfyService` in reach. */
@Module({ controllers: [BackendsController] })
export class BackendsModule extends ConfigurableModuleClass {}
