import { CliError } from '../cli.error.js';
import type { Cli } from '../cli.js';
import { EXIT, type ExitCode } from '../exit-codes.js';
import type { Job } from '../job/job.types.js';
import { cancelJob } from '../job/submit.js';
import { errorDocument } from '../output.js';

/**
 * Cancels jobs. One that is not there does not keep the others from being cancelled.
 * @throws CliError where the server does not answer
 */
export async function cancel(cli: Cli, ids: readonly string[]): Promise<ExitCode> {
  const api = await cli.api();
  const jobs: Job[] = [];
  const errors: CliError[] = [];
  for (const id of ids) {
    try {
      const job = await cancelJob(api, id, cli.interruption.signal);
      jobs.push(job);
      if (!cli.json) cli.print(`${id}  ${verdictOn(job)}`);
    } catch (error) {
      if (!(error instanceof CliError) || error.exit !== EXIT.refused) throw error;
      errors.push(error.about(id));
      if (!cli.json) cli.printError(error.about(id));
    }
  }
  if (cli.json) {
    cli.printJson({ jobs, ...(errors.length === 0 ? {} : { errors: errors.map(errorDocument) }) });
  }
  return errors.length === 0 ? EXIT.done : EXIT.refused;
}

function verdictOn({ status }: Job): string {
  return status === 'canceled' ? 'cancelled' : `stays as it was: ${status}`;
}
