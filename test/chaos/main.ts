import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { Arena } from './arena.js';
import { Dice } from './dice.js';
import { type ChaosOptions, HELP, readOptions } from './options.js';
import { run } from './run.js';
import { whenAskedToStop } from '../processes/stop-signal.js';
import { toText } from './verdict/print.js';

try {
  const options = readOptions(process.argv.slice(2));
  if (options.help) console.log(HELP);
  else await chaos(options);
} catch (error) {
  console.error(error);
  console.log('0 passed, 1 failed');
  process.exitCode = 1;
}

async function chaos(options: ChaosOptions): Promise<void> {
  const { seed, jobs, backends, callers, quick } = options;
  // The cores are for the service.
  sharp.concurrency(1);
  console.log(
    `Chaos: seed ${seed}, ${jobs} jobs, ${callers} callers, ${backends} backends; Node ${process.version}, ${availableParallelism()} cores`,
  );
  const stop = whenAskedToStop();
  const arena = await Arena.open(backends, new Dice(seed, 'arena'), options.durable);
  let failed = true;
  try {
    const result = await run(arena, options, stop, (line) => console.log(line));
    failed = result.tally.failed > 0 || result.complaints.length > 0;
    console.log(toText(result));
    await closing(arena, failed, options);
    console.log(
      `\nrepeat with: npm run test:chaos -- --seed ${seed} --jobs ${jobs}${quick ? ' --quick' : ''}${options.durable ? ' --durable' : ''}`,
    );
    console.log(`${result.tally.passed} passed, ${result.tally.failed} failed`);
  } catch (error) {
    await closing(arena, !stop.aborted, options);
    if (!stop.aborted) throw error;
    console.log('stopped');
  } finally {
    if (failed) process.exitCode = 1;
  }
}

/** Ends everything; the folder stays where something has to be looked into. */
async function closing(arena: Arena, failed: boolean, { keep }: ChaosOptions): Promise<void> {
  await arena.close();
  if (failed || keep) console.log(`\nlog: ${join(arena.folder, 'events.log')}, beside those of the service`);
  else await arena.removeFolder();
}
