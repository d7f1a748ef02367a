import type { Report } from './report.js';

/** A report for people: aligned columns, numbers to the right. */
export function toText({ title, explanation, table, targets }: Report): string {
  const widths = (table[0] ?? []).map((_, column) =>
    Math.max(...table.map((row) => (row[column] ?? '').length)),
  );
  const lines = table.map((row) => {
    const cells = row.map((cell, column) =>
      column === 0 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0),
    );
    return `  ${cells.join('   ')}`.trimEnd();
  });
  const verdicts = targets.map(
    ({ what, measured, wanted, met }) =>
      `  ${met ? 'met   ' : 'MISSED'}  ${what}: ${measured}, wanted ${wanted}`,
  );
  return [
    title,
    `  ${explanation}`,
    '',
    ...lines,
    ...(verdicts.length > 0 ? ['', ...verdicts] : []),
    '',
  ].join('\n');
}
