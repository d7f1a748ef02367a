import { Global, Module } from '@nestjs/common';
import { Images } from './images.js';
import { ConfigurableModuleClass } from './images.module-definition.js';

/** Looking into images and converting them: `ImagesModule.forRoot(options)` or `forRootAsync`. Global, as there is one pool. */
@Global()
@Module({ providers: [Images], exports: [Images] })
export class ImagesModule extends ConfigurableModuleClass {}
