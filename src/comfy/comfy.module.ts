import { Module } from '@nestjs/common';
import { Storage } from '../storage/index.js';
import { BackendPool } from './backends/index.js';
import { COMFY_OPTIONS, ConfigurableModuleClass, type ComfyOptions } from './comfy.module-definition.js';
import { ComfyService } from './comfy.service.js';
import { Dispatcher, InProcessQueue, JobQueue, JobRunner } from './jobs/index.js';

/**
 * The engine: `ComfyModule.forRoot(options)` or `forRootAsync({ useFactory, inject })`. Needs a `Storage` in reach,
 * which `StorageModule` provides.
 */
@Module({
  providers: [
    ComfyService,
    {
      provide: BackendPool,
      inject: [COMFY_OPTIONS],
      useFactory: ({ backends, slots = 2, limits }: ComfyOptions) => new BackendPool(backends, slots, limits),
    },
    {
      provide: JobQueue,
      inject: [COMFY_OPTIONS],
      useFactory: ({ maxQueue = 1_000 }: ComfyOptions) => new InProcessQueue(maxQueue),
    },
    {
      provide: JobRunner,
      inject: [Storage, COMFY_OPTIONS],
      useFactory: (storage: Storage, { jobFolders = true, deleteHistory = true }: ComfyOptions) =>
        new JobRunner(storage, { jobFolders, deleteHistory }),
    },
    {
      provide: Dispatcher,
      inject: [JobQueue, BackendPool, JobRunner, COMFY_OPTIONS],
      useFactory: (queue: JobQueue, pool: BackendPool, runner: JobRunner, options: ComfyOptions) =>
        new Dispatcher(queue, pool, runner, options.noBackendAfterMs ?? 10_000),
    },
  ],
  exports: [ComfyService],
})
export class ComfyModule extends ConfigurableModuleClass {}
