import { randomBytes } from 'node:crypto';
import type { FileKind } from '../storage.port.js';
import type { MediaType } from './media-type.js';

const KEY = /^(image|video|audio|file)_\d{1,15}_[0-9a-f]{12}\.[a-z0-9]{1,10}$/;

/**
 * A name nobody has used and nobody can guess: `image_<ms>_<12 hex>.<ext>`. Milliseconds alone collide as soon as two
 * jobs end together; with 48 random bits in every millisecond they do not.
 */
export function makeKey(
  { kind, extension }: Pick<MediaType, 'kind' | 'extension'>,
  now = Date.now(),
): string {
  return `${kind}_${now}_${randomBytes(6).toString('hex')}.${extension}`;
}

/** Could this have come from `makeKey`? Anything with a path, a dot file or an odd character could not. */
export function isKey(text: string): boolean {
  return KEY.test(text);
}

/** @param key one that `isKey` accepts */
export function kindOfKey(key: string): FileKind {
  return (KEY.exec(key)?.[1] ?? 'file') as FileKind;
}

/** Strong entity tag. A key is used once and its bytes never change, so the key tells as much as a digest would. */
export function etagOf(key: string, size: number): string {
  return `"${key.replace(/\.[^.]*$/, '')}-${size.toString(36)}"`;
}
