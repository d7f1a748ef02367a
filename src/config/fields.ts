import { z } from 'zod';

/** What a setting says of itself, for error messages, `.env.example` and the README's table. */
export interface FieldDoc {
  /** One line: what it does. */
  about: string;
  /** What may be written. */
  accepts: string;
  /** The default as it would be written; absent where there is none. */
  fallback?: string;
  /** Its value is never shown. */
  secret?: boolean;
}

/** What each setting's schema says of itself. A registry of ours: zod's own would show up in the types of every host. */
export const FIELD_DOCS = z.registry<FieldDoc>();

type Read<T> = (text: string) => T;

/** A setting with a default. `read` throws an Error whose message completes "read …, which …". */
function field<T>(doc: FieldDoc & { fallback: string }, read: Read<T>) {
  return z
    .string()
    .optional()
    .transform((text, context) => attempt(unquoted(text) ?? doc.fallback, read, context))
    .register(FIELD_DOCS, doc);
}

/** A setting that may be left out. */
function optionalField<T>(doc: FieldDoc, read: Read<T>) {
  return z
    .string()
    .optional()
    .transform((text, context) => {
      const value = unquoted(text);
      return value === undefined ? undefined : attempt(value, read, context);
    })
    .register(FIELD_DOCS, doc);
}

function attempt<T>(text: string, read: Read<T>, context: z.RefinementCtx): T {
  try {
    return read(text);
  } catch (error) {
    context.addIssue({ code: 'custom', message: error instanceof Error ? error.message : 'cannot be read' });
    return z.NEVER;
  }
}

/** Compose files write `${NAME:-}` for what is not set, so empty means unset. */
function unquoted(text: string | undefined): string | undefined {
  const value = text?.trim();
  return value === undefined || value === '' ? undefined : value;
}

export function text(about: string, accepts: string, options: { secret?: boolean } = {}) {
  return optionalField({ about, accepts, ...options }, (value) => value);
}

export function textOr(about: string, accepts: string, fallback: string) {
  return field({ about, accepts, fallback }, (value) => value);
}

export function parsed<T>(about: string, accepts: string, read: Read<T>, options: { secret?: boolean } = {}) {
  return optionalField({ about, accepts, ...options }, read);
}

export function parsedOr<T>(about: string, accepts: string, fallback: string, read: Read<T>) {
  return field({ about, accepts, fallback }, read);
}

/** A whole number between two bounds, both inclusive. */
export function integer(about: string, min: number, max: number, fallback: number) {
  return field(
    { about, accepts: `a whole number from ${min} to ${max}`, fallback: String(fallback) },
    (value) => {
      if (!/^\d{1,15}$/.test(value)) throw new Error('is not a whole number');
      const number = Number(value);
      if (number < min) throw new Error(`is less than ${min}`);
      if (number > max) throw new Error(`is more than ${max}`);
      return number;
    },
  );
}

const TRUE = new Set(['true', '1', 'yes', 'on']);
const FALSE = new Set(['false', '0', 'no', 'off']);

export function flag(about: string, fallback: boolean) {
  return field({ about, accepts: 'true or false', fallback: String(fallback) }, (value) => {
    if (TRUE.has(value.toLowerCase())) return true;
    if (FALSE.has(value.toLowerCase())) return false;
    throw new Error('is neither');
  });
}

export function choice<const T extends string>(about: string, values: readonly T[], fallback: T) {
  return field({ about, accepts: values.join(', '), fallback }, (value) => {
    const found = values.find((known) => known === value.toLowerCase());
    if (found === undefined) throw new Error('is none of these');
    return found;
  });
}

/** An absolute http(s) URL without credentials, query and fragment; trailing slashes are cut. */
export function httpUrl(about: string) {
  return optionalField(
    { about, accepts: 'an http:// or https:// URL, e.g. https://pictures.example.com' },
    (value) => {
      if (!/^https?:\/\//i.test(value) || !URL.canParse(value)) throw new Error('is not such a URL');
      const url = new URL(value);
      if (url.username !== '' || url.password !== '') throw new Error('holds credentials');
      if (url.search !== '' || url.hash !== '') throw new Error('has a query or a fragment');
      return url.href.replace(/\/+$/, '');
    },
  );
}
