import type { ServerResponse } from 'node:http';
import type { FileStat } from '../storage/index.js';

const ONE_YEAR_S = 31_536_000;

/** A file from a workflow is a stranger's bytes: it is shown as what we say it is, and runs nothing. */
export function setSafetyHeaders(response: ServerResponse): void {
  response.setHeader('X-Content-Type-Options', 'nosniff');
  response.setHeader('Content-Security-Policy', "default-src 'none'; sandbox");
  // Pictures are made to be shown on other sites.
  response.setHeader('Cross-Origin-Resource-Policy', 'cross-origin');
}

/** @param secondsLeft how long the link in use lives; no cache may keep the file longer */
export function setFileHeaders(response: ServerResponse, file: FileStat, secondsLeft: number): void {
  setSafetyHeaders(response);
  response.setHeader('Content-Type', file.contentType);
  response.setHeader('Content-Disposition', `inline; filename="${file.key}"`);
  response.setHeader('Accept-Ranges', 'bytes');
  response.setHeader('ETag', file.etag);
  response.setHeader('Last-Modified', file.lastModified.toUTCString());
  response.setHeader('Cache-Control', `private, max-age=${Math.min(secondsLeft, ONE_YEAR_S)}, immutable`);
}
