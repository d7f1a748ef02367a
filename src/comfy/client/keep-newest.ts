/**
 * Removes the oldest until no more than `max` are left, in the order in which they were added; one that is deleted and added
 * again counts as new.
 */
export function keepNewest<Key>(
  entries: { readonly size: number; keys(): Iterable<Key>; delete(key: Key): boolean },
  max: number,
): void {
  for (const oldest of entries.keys()) {
    if (entries.size <= max) break;
    entries.delete(oldest);
  }
}
