import { Global, Module } from '@nestjs/common';
import { Assets } from './assets.js';
import { ConfigurableModuleClass } from './assets.module-definition.js';

/** Files with an owner: `AssetsModule.forRoot(options)` or `forRootAsync`. Global. Needs `Storage` and `StateDatabase` in reach. */
@Global()
@Module({ providers: [Assets], exports: [Assets] })
export class AssetsModule extends ConfigurableModuleClass {}
