import type { Request } from 'express';
import type { Assets } from '../assets/index.js';
import { originOf } from '../request/index.js';
import type { ApiV2Options } from './api-v2.module-definition.js';
import type { ReplyContext } from './contract-job.js';

/** What the replies to a request have in common. */
export function replyContext(
  request: Request,
  { baseUrl, retentionMs }: ApiV2Options,
  assets: Assets,
): ReplyContext {
  return {
    origin: originOf(request, baseUrl),
    base: baseUrl ?? '',
    retentionMs,
    hashesOf: (job) => assets.hashesOf(job),
  };
}
