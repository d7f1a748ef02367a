import { Module } from '@nestjs/common';
import { BackendsController } from './backends.controller.js';

/** What operators see and say of the backends. Needs `ComfyService` and `AdminModule` in reach. */
@Module({ controllers: [BackendsController] })
export class BackendsModule {}
