import type { Request, Response } from 'express';
import { type BucketFiles, hasBucket, type Storage, StorageError } from '../storage/index.js';
import { type FileSource, sendFile } from './file-reply.js';

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
  await sendFile(await findSource(storage, key), secondsLeft, request, response);
}

/** The local copy where there is one: no way to the bucket and back. */
async function findSource(storage: Storage, key: string): Promise<FileSource> {
  try {
    await storage.stat(key);
  } catch (error) {
    if (!hasBucket(storage) || !(error instanceof StorageError) || error.code !== 'file_not_found')
      throw error;
    return { stat: () => storage.statRemote(key), open: (range) => storage.openRemote(key, range) };
  }
  return { stat: () => storage.stat(key), open: (range) => storage.open(key, range) };
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
