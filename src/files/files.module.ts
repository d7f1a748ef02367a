import { Inject, Module, type NestModule } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { ServeStaticModule } from '@nestjs/serve-static';
import { OUTPUT_ROUTE, Storage, STORAGE_OPTIONS, type StorageOptions } from '../storage/index.js';
import { FilesController } from './files.controller.js';
import { guardOutput } from './output-guard.js';
import { staticOptions } from './static-options.js';

/** Hands out stored files: plain ones at `/output_images`, and behind signed links at `/files`. Needs a `StorageModule`. */
@Module({
  imports: [
    ServeStaticModule.forRootAsync({
      inject: [STORAGE_OPTIONS],
      useFactory: ({ directory }: StorageOptions) => [staticOptions(directory)],
    }),
  ],
  controllers: [FilesController],
})
export class FilesModule implements NestModule {
  constructor(
    private readonly host: HttpAdapterHost,
    @Inject(STORAGE_OPTIONS) private readonly options: StorageOptions,
    private readonly storage: Storage,
  ) {}

  /**
   * Mounted straight on the HTTP server, as serve-static mounts itself, so that both match the very same requests;
   * and in this hook, because it comes before serve-static's own.
   */
  configure(): void {
    this.host.httpAdapter.use(OUTPUT_ROUTE, guardOutput(this.options.directory, this.storage));
  }
}
