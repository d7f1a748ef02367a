import { availableParallelism, cpus } from 'node:os';
import { HELP, readOptions } from './options.js';
import { toText } from './report/print.js';
import type { Report } from './report/report.js';
import { agedFolder } from './scenarios/aged-folder.js';
import { dispatch } from './scenarios/dispatch/dispatch.js';
import { largeFiles } from './scenarios/large-files.js';
import { latency } from './scenarios/latency.js';
import type { Scenario } from './scenarios/scenario.js';
import { socketOutputs } from './scenarios/socket-outputs.js';
import { throughput } from './scenarios/throughput.js';
import { watchers } from './scenarios/watchers.js';
import { waitingCallers } from './scenarios/waiting-callers.js';

const SCENARIOS: readonly Scenario[] = [
  latency,
  throughput,
  largeFiles,
  waitingCallers,
  agedFolder,
  dispatch,
  watchers,
  socketOutputs,
];

try {
  const options = readOptions(process.argv.slice(2));
  if (options.help) console.log(HELP);
  else await bench(options);
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}

async function bench(options: ReturnType<typeof readOptions>): Promise<void> {
  const machine = {
    cores: availableParallelism(),
    cpu: cpus()[0]?.model ?? 'unknown',
    node: process.version,
  };
  const say = options.json ? console.error : console.log;
  say(`Node ${machine.node}, ${machine.cores} cores; ${options.comfyui ?? 'ComfyUI stand-in'}\n`);
  const reports: Report[] = [];
  for (const scenario of choose(options.only, options.comfyui !== undefined)) {
    const found = await scenario.run({ ...options, note });
    note('');
    if (!options.json) for (const report of found) console.log(toText(report));
    reports.push(...found);
  }
  if (options.json) {
    const results = reports.map(({ scenario, title, figures, targets }) => ({
      scenario,
      title,
      figures,
      targets,
    }));
    console.log(JSON.stringify({ machine, results }, null, 2));
  }
}

function choose(only: string[] | undefined, real: boolean): Scenario[] {
  const names = SCENARIOS.map(({ name }) => name);
  const unknown = only?.find((name) => !names.includes(name));
  if (unknown !== undefined) throw new Error(`--only ${unknown}: there are ${names.join(', ')}`);
  const wanted = SCENARIOS.filter(({ name }) => only?.includes(name) ?? true);
  const possible = wanted.filter((scenario) => scenario.real || !real);
  if (possible.length === 0)
    throw new Error('only latency, throughput and socket can be measured with a real ComfyUI');
  return possible;
}

/** One line that changes, where somebody is watching. */
function note(text: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\u001B[K${text}`);
}
