import { Module } from '@nestjs/common';
import { FeedModule } from '../feed/index.js';
import { ProgressGateway } from './progress.gateway.js';

/** Jobs over Socket.IO, at `/progress`. Needs `ComfyService` in reach. */
@Module({ imports: [FeedModule], providers: [ProgressGateway] })
export class ProgressModule {}
