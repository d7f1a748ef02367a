import type { Request } from 'express';

const FILES = [
  'image/png',
  'image/jpeg',
  'image/webp',
  'image/avif',
  'image/gif',
  'video/mp4',
  'audio/mpeg',
  'application/octet-stream',
];

/**
 * Does the caller want the file itself? What the body says holds; without it, an `Accept` header that ranks a kind of
 * file above JSON (`image/*`) does. A bare wildcard means JSON.
 */
export function wantsFile(responseType: 'url' | 'file' | null | undefined, request: Request): boolean {
  if (responseType) return responseType === 'file';
  const best = request.accepts(['application/json', ...FILES]);
  return best !== false && best !== 'application/json';
}
