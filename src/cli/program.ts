import { readFileSync } from 'node:fs';
import { Command, CommanderError, InvalidArgumentError } from 'commander';
import { CliError, usageError } from './cli.error.js';
import { Cli, DEFAULT_RETRIES, DEFAULT_SERVER, type GlobalOptions } from './cli.js';
import type { FinishOptions } from './commands/finish.js';
import type { JobsOptions } from './commands/jobs.js';
import type { RunOptions } from './commands/run.js';
import { EXIT, type ExitCode } from './exit-codes.js';
import { errorDocument, errorText, jsonText } from './output.js';
import { type Assignment, parseAssignment } from './workflow/assignment.js';

const RUN_HELP = `
--set <node>.<input>=<value>:
  <node> is an id of the workflow, or the title of a node where only one has it.
  <value> is JSON where it parses as JSON (numbers of any length, true, false, lists), else text.
  =@photo.png uploads the file and puts it there; =@@text is the text "@text".

Examples:
  $ comfy-sync run workflow_api.json --set 6.text="a red fox" --out fox.png
  $ comfy-sync run workflow_api.json --set 10.image=@photo.png --set 3.seed=42 --all --out pictures/
  $ cat workflow_api.json | comfy-sync run - --quiet --out - > fox.png
  $ comfy-sync run workflow_api.json --json | jq -r .url`;

const EXIT_HELP = `
Exit codes:
  0  done                                   4  the job failed
  1  something nobody expected              5  the server cannot be reached, or takes no work now
  2  the command is wrong                   6  --timeout is over; the job goes on
  3  the server refuses the request         130  Ctrl-C; the job is cancelled (143: SIGTERM)

Environment:
  COMFY_SYNC_SERVER, COMFY_SYNC_ADMIN_TOKEN, NO_COLOR, HTTP_PROXY, HTTPS_PROXY, NO_PROXY`;

type Action = (cli: Cli) => Promise<ExitCode | void>;

/** Reads the command and does it. @returns the exit code */
export async function main(process: NodeJS.Process): Promise<number> {
  let action: Action | undefined;
  const program = createProgram((chosen) => void (action = chosen));
  const args = process.argv.slice(2);
  // A mistake in the command is met before it is known what else it says.
  const json = args.includes('--json');
  try {
    if (json) program.commands.concat(program).forEach(silence);
    await program.parseAsync(args, { from: 'user' });
  } catch (error) {
    return tellMistake(process, error, json);
  }
  return action === undefined ? EXIT.usage : act(process, program.opts<GlobalOptions>(), action);
}

async function act(process: NodeJS.Process, options: GlobalOptions, action: Action): Promise<number> {
  const cli = new Cli(process, options);
  // Whoever read our output has heard enough, as `head` has.
  process.stdout.on('error', () => process.exit(EXIT.unexpected));
  try {
    return (await action(cli)) ?? EXIT.done;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EPIPE') return EXIT.unexpected;
    const known = error instanceof CliError ? error : unexpected(error);
    cli.printError(known);
    return known.exit;
  } finally {
    await cli.close();
  }
}

/** Before there is a command, there is nothing but its words. */
function tellMistake(process: NodeJS.Process, error: unknown, json: boolean): number {
  if (error instanceof CommanderError) {
    // Help and version come as errors, too; commander has written what there is to read.
    if (error.exitCode === 0) return EXIT.done;
    const detail = error.message.replace(/^error: /, '');
    const mistake = usageError(detail, 'See comfy-sync --help.');
    if (json) process.stdout.write(jsonText(errorDocument(mistake)));
    return EXIT.usage;
  }
  const known = error instanceof CliError ? error : unexpected(error);
  if (json) process.stdout.write(jsonText(errorDocument(known)));
  else process.stderr.write(errorText(known, (text) => text));
  return known.exit;
}

function unexpected(error: unknown): CliError {
  const detail = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return new CliError(EXIT.unexpected, { code: 'unexpected', detail });
}

function silence(command: Command): void {
  command.configureOutput({ writeErr: () => {} });
}

function createProgram(choose: (action: Action) => void): Command {
  const program = new Command('comfy-sync')
    .description('Runs ComfyUI workflows on a Comfy Sync Server.')
    .version(versionOf())
    .option('--server <url>', `the server (COMFY_SYNC_SERVER; default: ${DEFAULT_SERVER})`)
    .option('--header <line>', "'Name: value' to send with every request; may be given again", collect)
    .option('--json', 'one JSON document on standard output, and nothing else there')
    .option('--quiet', 'no progress; only errors on standard error')
    .option(
      '--retries <n>',
      `how often trouble on the way is tried again (default: ${DEFAULT_RETRIES})`,
      wholeFrom(0, 100),
    )
    .addHelpText('after', EXIT_HELP);
  setUp(program);

  waiting(setUp(program.command('run <workflow>')))
    .description('Run a workflow in the API format; - reads it from standard input.')
    .option('--set <input=value>', 'set an input; may be given again', addAssignment)
    .option('--force', 'let --set add inputs that a node does not have yet')
    .option('--output-node <id>', 'the node whose files are wanted')
    .option('--priority <n>', 'from -100 to 100; a higher one goes first', wholeFrom(-100, 100))
    .option('--detach', 'print the id of the job and leave')
    .addHelpText('after', RUN_HELP)
    .action((path: string, options: RunOptions) =>
      choose(async (cli) => (await import('./commands/run.js')).run(cli, path, options)),
    );

  waiting(setUp(program.command('wait <job>')))
    .description('Wait for a job and fetch its files. Ctrl-C lets the job go on.')
    .addHelpText(
      'after',
      '\nExample:\n  $ comfy-sync wait 7b87c392-de65-410f-9557-0ac08ad2a975 --out fox.png',
    )
    .action((job: string, options: FinishOptions) =>
      choose(async (cli) => (await import('./commands/wait.js')).wait(cli, job, options)),
    );

  setUp(program.command('jobs [job]'))
    .description('List jobs, the newest first, or show one.')
    .option(
      '--status <status>',
      'only these: queued, running, succeeded, failed, cancelled; several with commas',
    )
    .option('--limit <n>', 'how many (default: 20)', wholeFrom(1, 10_000), 20)
    .addHelpText('after', '\nExample:\n  $ comfy-sync jobs --status queued,running')
    .action((job: string | undefined, options: JobsOptions) =>
      choose(async (cli) => {
        const { listJobs, showJob } = await import('./commands/jobs.js');
        await (job === undefined ? listJobs(cli, options) : showJob(cli, job));
      }),
    );

  setUp(program.command('cancel <jobs...>'))
    .description('Take jobs out of the line, or stop them.')
    .addHelpText(
      'after',
      '\nExample:\n  $ comfy-sync jobs --status queued --json | jq -r .jobs[].id | xargs comfy-sync cancel',
    )
    .action((jobs: string[]) =>
      choose(async (cli) => (await import('./commands/cancel.js')).cancel(cli, jobs)),
    );

  const backends = setUp(program.command('backends'))
    .description('For operators: how every ComfyUI is.')
    .option(
      '--token <token>',
      'ADMIN_TOKEN of the server (COMFY_SYNC_ADMIN_TOKEN, which no list of processes shows)',
    )
    .action((options: { token?: string }) =>
      choose(async (cli) => (await import('./commands/backends.js')).listBackends(cli, options.token)),
    );
  for (const action of ['drain', 'undrain'] as const) {
    setUp(backends.command(`${action} <name>`))
      .description(action === 'drain' ? 'Give a ComfyUI no more jobs.' : 'Give a ComfyUI jobs again.')
      .action((name: string) =>
        choose(async (cli) => {
          const { token } = backends.opts<{ token?: string }>();
          await (await import('./commands/backends.js')).drainBackend(cli, action, name, token);
        }),
      );
  }
  return program;
}

function versionOf(): string {
  const file = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(file) as { version: string }).version;
}

/** What commands have in common. */
function setUp(command: Command): Command {
  return command
    .exitOverride()
    .helpOption('-h, --help', 'show this')
    .configureHelp({ showGlobalOptions: true })
    .showSuggestionAfterError()
    .showHelpAfterError('See comfy-sync --help.');
}

/** Options of commands that wait for a job. */
function waiting(command: Command): Command {
  return command
    .option('--out <path>', 'a file, a folder, or - for standard output; without it the URL is printed')
    .option('--index <n>', "which of the node's files, from 0", wholeFrom(0, 1_000_000))
    .option('--all', "save all of the node's files into the folder --out")
    .option('--timeout <seconds>', 'leave after so long; the job goes on', secondsUpTo(604_800))
    .option('--no-preview', 'no pictures in the terminal while it runs');
}

function collect(value: string, before: string[] = []): string[] {
  return [...before, value];
}

function addAssignment(value: string, before: Assignment[] = []): Assignment[] {
  return [...before, parseAssignment(value)];
}

function wholeFrom(least: number, most: number) {
  return (text: string): number => {
    const value = Number(text);
    if (/^-?\d+$/.test(text) && value >= least && value <= most) return value;
    throw new InvalidArgumentError(`It must be a whole number from ${least} to ${most}.`);
  };
}

function secondsUpTo(most: number) {
  return (text: string): number => {
    const value = Number(text);
    if (/^\d+(\.\d+)?$/.test(text) && value > 0 && value <= most) return value;
    throw new InvalidArgumentError(`It must be a number of seconds above 0, up to ${most}.`);
  };
}
