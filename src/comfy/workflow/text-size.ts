/** Characters of all texts in a value. Bodies nest 64 levels at most. */
export function textSize(value: unknown): number {
  if (typeof value === 'string') return value.length;
  if (typeof value !== 'object' || value === null) return 0;
  let size = 0;
  for (const item of Object.values(value)) size += textSize(item);
  return size;
}
