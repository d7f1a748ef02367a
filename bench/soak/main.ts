import { toText } from '../report/print.js';
import { HELP, readOptions } from './options.js';
import { soak } from './soak.js';
import { judge } from './verdict.js';

const stop = new AbortController();
// Once each: who asks a second time does not want to wait for us.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort());

try {
  const options = readOptions(process.argv.slice(2));
  if (options.help) console.log(HELP);
  else await main(options);
} catch (error) {
  note('');
  if (stop.signal.aborted) console.error('stopped early');
  else console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}

async function main({ minutes, json }: ReturnType<typeof readOptions>): Promise<void> {
  const { complaints, ...run } = await soak(minutes, stop.signal, note);
  note('');
  const report = judge(run);
  const flat = report.targets.every(({ met }) => met);
  if (json) {
    const { title, targets, figures } = report;
    const machine = { node: process.version };
    console.log(
      JSON.stringify({ machine, title, flat, targets, figures, complaints: [...complaints] }, null, 2),
    );
  } else {
    console.log(`Node ${process.version}\n\n${toText(report)}`);
    for (const [words, count] of complaints) console.log(`  ${count} × ${words}`);
    console.log(flat ? 'flat' : 'NOT FLAT');
  }
  if (!flat) process.exitCode = 1;
}

/** One line that changes, where somebody is watching. */
function note(text: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\u001B[K${text}`);
}
