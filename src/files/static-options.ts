import { basename } from 'node:path';
import type { ServerResponse } from 'node:http';
import type { ServeStaticModuleOptions } from '@nestjs/serve-static';
import { setSafetyHeaders } from '../delivery/index.js';
import { contentTypeOf, etagOf, isKey, OUTPUT_ROUTE } from '../storage/index.js';

/** serve-static with everything off that is not "send this file"; `guardOutput` stands before it. */
export function staticOptions(directory: string): ServeStaticModuleOptions {
  return {
    rootPath: directory,
    serveRoot: OUTPUT_ROUTE,
    // serve-static answers this path with an index.html. The guard lets no name with a dot in front pass.
    renderPath: '/.never',
    serveStaticOptions: {
      index: false,
      redirect: false,
      dotfiles: 'ignore',
      cacheControl: false,
      setHeaders,
    },
  };
}

function setHeaders(response: ServerResponse, path: string, { size }: { size: number }): void {
  const name = basename(path);
  setSafetyHeaders(response);
  response.setHeader('Content-Type', contentTypeOf(name));
  if (isKey(name)) {
    response.setHeader('ETag', etagOf(name, size));
    response.setHeader('Cache-Control', 'private, max-age=31536000, immutable');
  } else {
    // Not one of ours, so nobody promised that it stays as it is.
    response.setHeader('Cache-Control', 'private, no-cache');
  }
}
