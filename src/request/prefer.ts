import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import type { ApiHeaderOptions } from '@nestjs/swagger';
import type { Request, Response } from 'express';

export const PREFER_HEADER: ApiHeaderOptions = {
  name: 'Prefer',
  required: false,
  description:
    'RFC 7240. `respond-async`: answer 202 with the job at once. `wait=N`: wait N seconds at most, then answer 202 with the job; both may be given',
  // No example: the page at /docs would send it.
  schema: { type: 'string' },
};

/** What a caller prefers (RFC 7240); what is not understood is as if it were not there. */
export interface Preferences {
  /** Would rather be told where to ask than wait. */
  respondAsync: boolean;
  /** Seconds that it would wait, from 0. */
  waitS: number | undefined;
}

/** The preferences of the caller that we know: `respond-async` and `wait`. */
export const Prefer = createParamDecorator((_: unknown, context: ExecutionContext): Preferences =>
  readPreferences(context.switchToHttp().getRequest<Request>().header('Prefer')),
);

/** A comma or a semicolon that is not within quotes. */
const BETWEEN_PREFERENCES = /,(?=(?:[^"]*"[^"]*")*[^"]*$)/;
const BEFORE_PARAMETERS = /;(?=(?:[^"]*"[^"]*")*[^"]*$)/;

/** @param header several headers come joined by commas; undefined: there was none */
export function readPreferences(header: string | undefined): Preferences {
  const known = new Map<string, string>();
  for (const preference of header?.slice(0, 1_000).split(BETWEEN_PREFERENCES) ?? []) {
    const [text = ''] = preference.split(BEFORE_PARAMETERS);
    const [name = '', value = ''] = text.split('=', 2).map((part) => part.trim());
    // The first one counts (section 2).
    if (!known.has(name.toLowerCase())) known.set(name.toLowerCase(), value.replace(/^"(.*)"$/, '$1'));
  }
  const wait = known.get('wait') ?? '';
  return {
    respondAsync: known.get('respond-async') === '',
    waitS: /^\d{1,9}$/.test(wait) ? Number(wait) : undefined,
  };
}

/** Tells which of the preferences were honoured (section 3). */
export function tellApplied({ respondAsync, waitS }: Preferences, response: Response): void {
  const applied = [
    ...(respondAsync ? ['respond-async'] : []),
    ...(waitS === undefined ? [] : [`wait=${waitS}`]),
  ];
  if (applied.length > 0) response.setHeader('Preference-Applied', applied.join(', '));
}
