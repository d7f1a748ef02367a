import { styleText } from 'node:util';
import { printable } from '../printable/index.js';
import type { CliError } from './cli.error.js';
import { usageError } from './cli.error.js';
import type { Api } from './http/api.js';
import { Interruption } from './interruption.js';
import { errorDocument, errorText, jsonText } from './output.js';
import { NO_PROGRESS, type Progress, printableProgress, type View } from './progress/progress.js';
import { plainLines } from './progress/plain-lines.js';
import { Unfinished } from './save/download.js';

/** Options of every command. */
export interface GlobalOptions {
  server?: string;
  header?: string[];
  token?: string;
  json?: boolean;
  quiet?: boolean;
  retries?: number;
}

export const DEFAULT_SERVER = 'http://127.0.0.1:3000';
export const DEFAULT_RETRIES = 5;

/** What a command works with: the server, the terminal, and Ctrl-C. */
export class Cli {
  readonly json: boolean;
  readonly unfinished = new Unfinished();
  readonly interruption: Interruption;
  private shown: Progress = NO_PROGRESS;
  private opened: Api | undefined;

  constructor(
    readonly process: NodeJS.Process,
    private readonly options: GlobalOptions,
  ) {
    this.json = options.json ?? false;
    this.interruption = new Interruption(process, (exit) => {
      this.unfinished.sweep();
      this.shown.stop();
      process.exit(exit);
    });
    if (options.quiet !== true) {
      this.shown = printableProgress(plainLines((text) => process.stderr.write(text)));
    }
  }

  get env(): NodeJS.ProcessEnv {
    return this.process.env;
  }

  /** The server. @throws CliError `usage` */
  async api(): Promise<Api> {
    if (this.opened !== undefined) return this.opened;
    const { env } = this;
    const server = readServer(this.options.server ?? (env['COMFY_SYNC_SERVER'] || DEFAULT_SERVER));
    const headers = readHeaders(this.options.header ?? []);
    // Half a tenth of a second, which --help has no use for.
    const { Api } = await import('./http/api.js');
    this.opened = new Api({
      server,
      headers,
      retries: this.options.retries ?? DEFAULT_RETRIES,
      env,
      notice: (text) => this.shown.note(text),
    });
    return this.opened;
  }

  /** How a command shows what it does: as the terminal can. */
  async startProgress(preview: boolean): Promise<Progress> {
    const { stderr } = this.process;
    if (this.options.quiet !== true && stderr.isTTY && this.env['TERM'] !== 'dumb') {
      const { bar } = await import('./progress/bar.js');
      const { createPreview, PREVIEW_ROWS } = await import('./progress/preview.js');
      const room = stderr.rows > PREVIEW_ROWS + 2;
      const drawn = preview && room ? await createPreview() : undefined;
      this.shown = printableProgress(bar(stderr, drawn, (text) => this.style('dim', text)));
    }
    return this.shown;
  }

  /** What is being done, while there is a command that shows it. */
  show(view: View): void {
    this.shown.show(view);
  }

  /** Lines that may hold text of the server: each stays one line, and steers no terminal. */
  print(...lines: readonly string[]): void {
    this.write(lines.map((line) => `${printable(line)}\n`).join(''));
  }

  /** Text of our own and of who calls, as it is. */
  write(text: string): void {
    this.process.stdout.write(text);
  }

  printJson(value: unknown): void {
    this.write(jsonText(value));
  }

  /** With `--json` on standard output, as the one document there; else for people, on standard error. */
  printError(error: CliError): void {
    this.shown.stop();
    if (this.json) this.printJson(errorDocument(error));
    else this.process.stderr.write(errorText(error, (text) => this.style('red', text)));
  }

  async close(): Promise<void> {
    this.shown.stop();
    this.interruption.stop();
    await this.opened?.close();
  }

  private style(name: 'red' | 'dim', text: string): string {
    const plain = !this.process.stderr.isTTY || Boolean(this.env['NO_COLOR']) || this.env['TERM'] === 'dumb';
    return plain ? text : styleText(name, text);
  }
}

/** @returns without a slash at the end */
function readServer(text: string): string {
  const source = /^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? text : `http://${text}`;
  const url = URL.canParse(source) ? new URL(source) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol) || url.search !== '' || url.hash !== '') {
    throw usageError(
      `--server ${text} is not an address.`,
      `Write it as ${DEFAULT_SERVER}, with the base path, if it has one.`,
    );
  }
  if (url.username !== '' || url.password !== '') {
    throw usageError(
      '--server holds a name and a password, which end up in logs.',
      "Send them with --header 'Authorization: Basic …'.",
    );
  }
  return `${url.origin}${url.pathname.replace(/\/+$/, '')}`;
}

function readHeaders(lines: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    lines.map((line) => {
      const [, name, value] =
        /^([A-Za-z0-9!#$%&'*+.^_`|~-]+):[ \t]*([\t\u0020-\u007e\u0080-\u00ff]*)$/.exec(line) ?? [];
      if (name === undefined || value === undefined) {
        throw usageError(
          `--header ${line.split(':', 1)[0]}: this is not a header.`,
          "Write --header 'Name: value'.",
        );
      }
      return [name.toLowerCase(), value.trim()];
    }),
  );
}
