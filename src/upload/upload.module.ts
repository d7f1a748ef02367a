import { Module } from '@nestjs/common';
import { UploadEngine } from './upload.engine.js';

/** Forms with files. Needs `Assets` in reach. */
@Module({ providers: [UploadEngine], exports: [UploadEngine] })
export class UploadModule {}
