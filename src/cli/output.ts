import { printable, printableJson, printableStack } from '../printable/index.js';
import type { CliError, NodeError, Problem } from './cli.error.js';

/** Errors of one node that are shown. */
const SHOWN = 10;

/**
 * An error for people: what was wrong, then nodes and fields by name, then what to do. Text of the server steers no terminal.
 * @param red the first word, coloured or not
 */
export function errorText({ problem, hint }: CliError, red: (text: string) => string): string {
  const lines = [
    `${red('Error:')} ${detailOf(problem)}${printable(nameOf(problem))}`,
    ...[...nodeLines(problem), ...fieldLines(problem)].map(printable),
  ];
  if (hint !== undefined) lines.push(printable(hint));
  return `${lines.join('\n')}\n`;
}

/** The stack of what nobody expected keeps its lines. */
function detailOf({ code, detail }: Problem): string {
  return code === 'unexpected' ? printableStack(detail) : printable(detail);
}

function nameOf({ code, status, job_id: job }: Problem): string {
  const parts = [...(status === undefined ? [] : [code]), ...(job === undefined ? [] : [`job ${job}`])];
  return parts.length === 0 ? '' : ` [${parts.join(', ')}]`;
}

function nodeLines({ node_errors: nodes }: Problem): string[] {
  return Object.entries(nodes ?? {}).flatMap(([id, { class_type: name, errors }]: [string, NodeError]) =>
    (errors ?? []).slice(0, SHOWN).map(({ message, details, input }) => {
      const where = input === undefined ? '' : `, input ${input}`;
      const what = [message, details].filter((text) => text !== undefined && text !== '').join(': ');
      return `  node ${id}${name === undefined || name === '' ? '' : ` (${name})`}${where}: ${what}`;
    }),
  );
}

function fieldLines({ errors }: Problem): string[] {
  return (errors ?? []).map(({ field, message }) => `  ${field ?? 'request'} ${message ?? ''}`.trimEnd());
}

/** The error in JSON: the problem, and the exit code that says the same in a number. */
export function errorDocument({ problem, hint, exit }: CliError): Record<string, unknown> {
  return { ...problem, ...(hint === undefined ? {} : { hint }), exit_code: exit };
}

export function jsonText(value: unknown): string {
  return `${printableJson(JSON.stringify(value, null, 2))}\n`;
}

/** Rows under their headings, in columns that are as wide as they have to be. @returns lines */
export function table(headings: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const all = [headings, ...rows].map((row) => row.map(printable));
  const widths = headings.map((_, column) => Math.max(...all.map((row) => (row[column] ?? '').length)));
  return all.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  );
}
