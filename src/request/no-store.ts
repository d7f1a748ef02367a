import type { NestExpressApplication } from '@nestjs/platform-express';
import type { NextFunction, Request, Response } from 'express';

/** The page that describes the API and its parts are the same for everybody. */
const DOCS = /^\/(docs|docs-json|docs-yaml|openapi\.json)(\/|$)/;

/** Answers are kept by no cache, unless their handler says otherwise, as those with files do. No page may show ours in a frame. */
export function useNoStore(app: NestExpressApplication): void {
  app.use((request: Request, response: Response, next: NextFunction) => {
    if (DOCS.test(request.path)) {
      response.setHeader('Content-Security-Policy', "frame-ancestors 'none'");
      response.setHeader('X-Frame-Options', 'DENY');
      response.setHeader('Referrer-Policy', 'no-referrer');
    } else response.setHeader('Cache-Control', 'no-store');
    response.setHeader('X-Content-Type-Options', 'nosniff');
    next();
  });
}
