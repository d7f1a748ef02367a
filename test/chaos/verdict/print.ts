import type { Holdings } from '../processes/proc.js';
import type { RunResult } from '../run.js';
import { sum } from './tally.js';

/** Lines of a kind that are shown; the log has all of them. */
const SHOWN = 10;

/** The verdict, for people. */
export function toText(result: RunResult): string {
  const { tally, faults, renders, rest, last, files, complaints } = result;
  const rows: [what: string, count: number, more: string][] = [
    [
      'sent',
      tally.sent,
      `${result.seconds.toFixed(0)} s, ${faults.begun} faults, ${faults.dropped} more had no room`,
    ],
    ['right bytes', tally.right.size, ''],
    ['error that the job asked for', sum(tally.askedFor), byCode(tally.askedFor)],
    ['error for want of luck', sum(tally.unlucky), byCode(tally.unlucky)],
    ['hung up by us', tally.hungUp, ''],
    ['service killed', tally.killed, `in ${result.lives} lives of the service`],
    [
      'rendered twice',
      renders.repeated.size,
      `of the right ones, and ${renders.unseen.length} never seen; ${renders.all} prompts ran to success`,
    ],
    ['WRONG', tally.wrong.length, ''],
    ['HUNG', tally.hung.length, ''],
    ['LEAKS', complaints.length, ''],
  ];
  const widths = [0, 1].map((column) => Math.max(...rows.map((row) => String(row[column]).length)));
  const table = rows.map(([what, count, more]) =>
    `  ${what.padEnd(widths[0] ?? 0)}  ${String(count).padStart(widths[1] ?? 0)}   ${more}`.trimEnd(),
  );
  return [
    '',
    ...table,
    '',
    `  service after the warm-up: ${held(result.baseline)}`,
    `  service at rest:           ${held(rest.holdings)}, after ${rest.seconds.toFixed(0)} s`,
    `  output folder: ${files.kept} files; .tmp: ${files.orphans} half-written by lives that were killed`,
    `  stand-ins: ${rest.history} entries left in their histories`,
    `  SIGTERM: ended in ${last.ms} ms; its callers got: ${last.answers}`,
    ...section('WRONG', tally.wrong),
    ...section('HUNG', tally.hung),
    ...section('LEAKS', complaints),
  ].join('\n');
}

function section(title: string, lines: readonly string[]): string[] {
  if (lines.length === 0) return [];
  const more = lines.length > SHOWN ? [`    … and ${lines.length - SHOWN} more`] : [];
  return ['', `  ${title}`, ...lines.slice(0, SHOWN).map((line) => `    ${line}`), ...more];
}

function byCode(counts: ReadonlyMap<string, number>): string {
  return [...counts]
    .sort(([, a], [, b]) => b - a)
    .map(([code, count]) => `${count} ${code}`)
    .join(', ');
}

function held(holdings: Holdings | undefined): string {
  if (holdings === undefined) return 'unknown, this system does not tell';
  const { outgoing, incoming, listening, otherSockets, files, others, rssMiB } = holdings;
  const sockets = `${sum(new Map([...outgoing].map(([port, count]) => [String(port), count])))} out, ${incoming} in`;
  return `${sockets}, ${listening} listening, ${otherSockets} other sockets, ${files.length} files, ${others} others, ${rssMiB.toFixed(0)} MiB`;
}
