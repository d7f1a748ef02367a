import { Module } from '@nestjs/common';
import { JobFeed } from './job-feed.js';

/** One feed for all faces. Needs `ComfyService` in reach. */
@Module({ providers: [JobFeed], exports: [JobFeed] })
export class FeedModule {}
