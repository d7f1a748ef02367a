import type { NestExpressApplication } from '@nestjs/platform-express';

/** What pages may read of an answer beyond its body. */
const EXPOSED = [
  'Location',
  'Retry-After',
  'Job-Id',
  'Job-Warnings',
  'Idempotency-Replayed',
  'Preference-Applied',
  'Content-Disposition',
];

/** Seconds for which a browser need not ask again whether it may. */
const MAX_AGE_S = 3_600;

/** Lets pages of these origins call; without any, browsers keep all pages but our own away. */
export function useCors(app: NestExpressApplication, origins: '*' | string[] | undefined): void {
  if (origins === undefined) return;
  app.enableCors({ origin: origins, exposedHeaders: EXPOSED, maxAge: MAX_AGE_S });
}
