import type { Request } from 'express';
import type { BundleFormat } from '../delivery/index.js';

/** How a result is answered: as JSON, as one file, as all files in one, or as JSON that holds the bytes of one. */
export const RESPONSE_TYPES = ['url', 'file', 'zip', 'multipart', 'base64'] as const;
export type ResponseType = (typeof RESPONSE_TYPES)[number];

/** What a caller wants to see of the result. */
export interface Wanted {
  as: ResponseType;
  /** Of the file that is meant, where it is one. */
  index: number | null | undefined;
}

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

const BUNDLES: Readonly<Record<string, BundleFormat>> = {
  'application/zip': 'zip',
  'multipart/mixed': 'multipart',
};

/**
 * What the caller wants to see. What the body or the query says holds; without it, an `Accept` header that ranks a kind of file
 * above JSON (`image/*`), or a bundle above that, does. A wildcard means what stands first: JSON, then a file.
 */
export function wantedResponse(
  responseType: ResponseType | null | undefined,
  request: Request,
): ResponseType {
  return responseType ?? bestOf(request, ['application/json', ...FILES]);
}

/** The same where the answer is no JSON: one file, unless the `Accept` header ranks a bundle above all kinds of files. */
export function wantedFiles(request: Request): ResponseType {
  return bestOf(request, FILES);
}

function bestOf(request: Request, types: readonly string[]): ResponseType {
  const best = request.accepts([...types, ...Object.keys(BUNDLES)]);
  if (best === 'application/json' || (best === false && types.includes('application/json'))) return 'url';
  return BUNDLES[best || ''] ?? 'file';
}

/** For a request that asks later, so that it is answered the same way; empty, or with its question mark. */
export function queryFor({ as, index }: Wanted): string {
  const query = new URLSearchParams({
    ...(as === 'url' ? {} : { response_type: as }),
    ...(index === undefined || index === null ? {} : { output_index: String(index) }),
  });
  return query.size === 0 ? '' : `?${query.toString()}`;
}
