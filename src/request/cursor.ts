import { fieldProblem } from '../problem/index.js';

/** The place behind which a page begins, as callers get it. */
export function writeCursor(place: number): string {
  return Buffer.from(String(place)).toString('base64url');
}

/** @throws ProblemException `invalid_request` */
export function readCursor(cursor: string | undefined): number | undefined {
  if (cursor === undefined) return undefined;
  const text = Buffer.from(cursor, 'base64url').toString();
  if (!/^\d{1,15}$/.test(text)) {
    throw fieldProblem({ field: 'cursor', message: 'must be the next_cursor of another page' });
  }
  return Number(text);
}
