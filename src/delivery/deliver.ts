import type { Request, Response } from 'express';
import {
  type BucketFiles,
  type ByteRange,
  hasBucket,
  openFile,
  statFile,
  type Storage,
} from '../storage/index.js';
import { sendFile } from './file-reply.js';

/** A redirect leads to a URL that lives this long at most, in seconds. */
const REDIRECT_TTL_S = 3_600;

/**
 * Answers with a stored file, or with a redirect to the bucket where readers are sent there.
 * @param secondsLeft for which the answer may be kept, at least 1
 * @throws ProblemException `range_not_satisfiable`; StorageError, before anything was sent
 */
export async function deliver(
  storage: Storage,
  key: string,
  secondsLeft: number,
  request: Request,
  response: Response,
): Promise<void> {
  if (hasBucket(storage) && storage.delivery === 'redirect') {
    await redirect(storage, key, secondsLeft, request, response);
    return;
  }
  const source = {
    stat: () => statFile(storage, key),
    open: (range?: ByteRange) => openFile(storage, key, range),
  };
  await sendFile(source, secondsLeft, request, response);
}

async function redirect(
  bucket: BucketFiles,
  key: string,
  secondsLeft: number,
  request: Request,
  response: Response,
) {
  const ttlSeconds = Math.min(REDIRECT_TTL_S, secondsLeft);
  // The method is part of OSS's signature.
  const { url } = await bucket.presign(key, {
    method: request.method === 'HEAD' ? 'HEAD' : 'GET',
    ttlSeconds,
  });
  // The redirect may be kept for a while, but not as long as its target lives.
  response.setHeader('Cache-Control', `private, max-age=${Math.max(0, Math.min(300, ttlSeconds - 60))}`);
  response.setHeader('Referrer-Policy', 'no-referrer');
  response.setHeader('X-Content-Type-Options', 'nosniff');
  response.setHeader('Location', url);
  response.status(302).end();
}
