import { Module } from '@nestjs/common';
import { Assets } from '../assets/index.js';
import { Images } from '../images/index.js';
import { Outbound } from '../outbound/index.js';
import { StateDatabase } from '../state/index.js';
import { FileLinks, Storage } from '../storage/index.js';
import { BackendPool, RUN_DEADLINES } from './backends/index.js';
import { CLIENT_LIMITS } from './client/index.js';
import { COMFY_OPTIONS, ConfigurableModuleClass, type ComfyOptions } from './comfy.module-definition.js';
import { ComfyService } from './comfy.service.js';
import {
  ClassInfo,
  FETCH_LIMITS,
  FetchedFiles,
  InputIntake,
  MediaFinder,
  OwnFiles,
  PathGuard,
  SeedDrawer,
} from './inputs/index.js';
import {
  Dispatcher,
  Forecaster,
  InputPreparer,
  InProcessQueue,
  JobQueue,
  JobRetention,
  JobRunner,
  JobStore,
} from './jobs/index.js';
import { inJobFolder, parseWorkflow, type Workflow } from './workflow/index.js';

/**
 * The engine: `ComfyModule.forRoot(options)` or `forRootAsync({ useFactory, inject })`. Needs `Storage`, `StateDatabase`, `Assets`,
 * `Outbound` and `Images` in reach, which `StorageModule`, `StateModule`, `AssetsModule`, `OutboundModule` and `ImagesModule` provide.
 */
@Module({
  providers: [
    ComfyService,
    {
      provide: BackendPool,
      inject: [COMFY_OPTIONS, StateDatabase],
      useFactory: (
        { backends, slots = 2, deadlines, circuit, warmUpWorkflow, limits }: ComfyOptions,
        { owner }: StateDatabase,
      ) =>
        new BackendPool(backends, {
          owner,
          slots,
          deadlines,
          circuit,
          warmUp: warmUpWorkflow === undefined ? undefined : readWarmUp(warmUpWorkflow),
          client: limits,
        }),
    },
    {
      provide: JobQueue,
      inject: [COMFY_OPTIONS],
      useFactory: ({ maxQueue = 1_000 }: ComfyOptions) => new InProcessQueue(maxQueue),
    },
    {
      provide: JobStore,
      inject: [StateDatabase],
      useFactory: (database: StateDatabase) => new JobStore(database),
    },
    {
      provide: JobRetention,
      inject: [JobStore, Assets, JobQueue, COMFY_OPTIONS],
      useFactory: (store: JobStore, assets: Assets, queue: JobQueue, { retentionMs }: ComfyOptions) =>
        new JobRetention(store, assets, retentionMs, (id) => queue.needsAsset(id)),
    },
    {
      provide: JobRunner,
      inject: [Storage, Assets, Images, COMFY_OPTIONS],
      useFactory: (storage: Storage, assets: Assets, images: Images, options: ComfyOptions) => {
        const { jobFolders = true, deleteHistory = true, maxAttempts = 3, avoidMs = 1_000 } = options;
        const {
          outputsVia = 'files',
          stripMetadata = false,
          storeRetryMs = 60_000,
          limits = CLIENT_LIMITS,
          deadlines = RUN_DEADLINES,
        } = options;
        return new JobRunner(storage, assets, images, {
          jobFolders,
          deleteHistory,
          outputsVia,
          stripMetadata,
          retry: { maxAttempts, avoidMs },
          keep: {
            fetchRetryMs: limits.run.lostAfterMs,
            refusedRetryMs: limits.run.refusedAfterMs,
            storeRetryMs,
            totalMs: deadlines.jobMs,
          },
        });
      },
    },
    {
      provide: Dispatcher,
      inject: [JobQueue, BackendPool, JobRunner, InputPreparer, COMFY_OPTIONS],
      useFactory: (
        queue: JobQueue,
        pool: BackendPool,
        runner: JobRunner,
        preparer: InputPreparer,
        options: ComfyOptions,
      ) => new Dispatcher(queue, pool, runner, preparer, options.noBackendAfterMs ?? 30_000),
    },
    {
      provide: Forecaster,
      inject: [JobQueue, BackendPool],
      useFactory: (queue: JobQueue, pool: BackendPool) => new Forecaster(queue, pool),
    },
    {
      provide: InputIntake,
      inject: [BackendPool, Assets, Outbound, Storage, FileLinks, COMFY_OPTIONS],
      useFactory: (
        pool: BackendPool,
        assets: Assets,
        outbound: Outbound,
        storage: Storage,
        links: FileLinks,
        { allowHostPaths = false }: ComfyOptions,
      ) => {
        const classes = new ClassInfo(pool);
        const own = new OwnFiles(storage, links, assets);
        const guard = allowHostPaths ? undefined : new PathGuard(classes, (value) => own.isReference(value));
        return new InputIntake(
          new MediaFinder(classes),
          assets,
          outbound,
          own,
          new SeedDrawer(classes),
          guard,
        );
      },
    },
    {
      provide: FetchedFiles,
      inject: [Outbound, COMFY_OPTIONS],
      useFactory: (outbound: Outbound, { fetch = FETCH_LIMITS }: ComfyOptions) =>
        new FetchedFiles(outbound, fetch),
    },
    {
      provide: InputPreparer,
      inject: [JobQueue, FetchedFiles, Assets, Images],
      useFactory: (queue: JobQueue, fetched: FetchedFiles, assets: Assets, images: Images) =>
        new InputPreparer(queue, fetched, assets, images),
    },
  ],
  exports: [ComfyService],
})
export class ComfyModule extends ConfigurableModuleClass {}

/** In one folder, so that what it saves does not pile up among the pictures. */
function readWarmUp(workflow: unknown): Workflow {
  try {
    return inJobFolder(parseWorkflow(workflow), 'sync/warm-up');
  } catch (error) {
    throw new Error(`The warm-up workflow cannot be used: ${error instanceof Error ? error.message : ''}`, {
      cause: error,
    });
  }
}
