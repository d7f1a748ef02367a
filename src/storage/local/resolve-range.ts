import type { ByteRange } from '../storage.port.js';

/**
 * A range as it applies to a file: open and overlong ends are cut to its size.
 * @throws RangeError where no byte is left
 */
export function resolveRange({ start, end }: { start: number; end?: number }, size: number): ByteRange {
  const last = Math.min(end ?? size - 1, size - 1);
  if (!Number.isSafeInteger(start) || start < 0 || start > last)
    throw new RangeError('The file has no such bytes.');
  return { start, end: last };
}
