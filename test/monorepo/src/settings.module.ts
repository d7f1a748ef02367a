import { type DynamicModule, Module } from '@nestjs/common';
import { PosterSettings } from './poster-settings.js';

/** Stands for the `ConfigModule` of a larger application: not global, so whoever needs the settings imports it. */
@Module({})
export class SettingsModule {
  static of(settings: PosterSettings): DynamicModule {
    return {
      module: SettingsModule,
      providers: [{ provide: PosterSettings, useValue: settings }],
      exports: [PosterSettings],
    };
  }
}
