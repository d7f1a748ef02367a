import type { Cli } from '../cli.js';
import { deadline } from '../deadline.js';
import { prepareTarget } from '../save/target.js';
import { finish, type FinishOptions, JobInHand } from './finish.js';

/** Waits for a job of an earlier call, and saves what it made. @throws CliError */
export async function wait(cli: Cli, job: string, options: FinishOptions): Promise<void> {
  const target = await prepareTarget(cli, options);
  const api = await cli.api();
  const progress = await cli.startProgress(options.preview);
  const limit = deadline(options.timeout, cli.interruption.signal);
  const inHand = new JobInHand(cli, api, false);
  inHand.job = job;
  try {
    await inHand.guard(() => finish(cli, api, { job, target, options, progress, signal: limit.signal }));
  } finally {
    limit.clear();
  }
}
