import { type DynamicModule, Module } from '@nestjs/common';
import {
  AssetsModule,
  ComfyModule,
  type ComfyOptions,
  FilesModule,
  ImagesModule,
  OutboundModule,
  parseComfyuiServer,
  StateModule,
  StorageModule,
  type StorageOptions,
} from 'comfy-sync-server';
import { PosterController } from './poster.controller.js';
import { PosterService } from './poster.service.js';
import { PosterSettings } from './poster-settings.js';
import { SettingsModule } from './settings.module.js';

@Module({})
export class AppModule {
  static of(settings: PosterSettings): DynamicModule {
    const config = SettingsModule.of(settings);
    return {
      module: AppModule,
      imports: [
        StorageModule.forRootAsync({
          imports: [config],
          inject: [PosterSettings],
          useFactory: ({ pictureFolder, publicUrl }: PosterSettings): StorageOptions => ({
            directory: pictureFolder,
            publicBaseUrl: publicUrl,
            minFreeBytes: 0,
          }),
        }),
        StateModule.forRoot({}),
        AssetsModule.forRoot({}),
        OutboundModule.forRoot({ allowHosts: [], allowPrivate: false }),
        ImagesModule.forRoot({}),
        ComfyModule.forRootAsync({
          imports: [config],
          inject: [PosterSettings],
          useFactory: ({ comfyui }: PosterSettings): ComfyOptions => ({
            backends: [parseComfyuiServer(comfyui)],
          }),
        }),
        FilesModule,
      ],
      controllers: [PosterController],
      providers: [PosterService],
    };
  }
}
