import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';

const MAIN = new URL('../../../dist/cli/main.js', import.meta.url).pathname;

/** What a run of the client came to. */
export interface Outcome {
  code: number | null;
  stdout: Buffer;
  /** Standard output as the one JSON document that it has to be. */
  json: Record<string, unknown>;
  stderr: string;
}

/** The built terminal client as users run it: a process of its own. */
export class TerminalClient {
  private readonly out: Buffer[] = [];
  private readonly err: Buffer[] = [];
  private readonly closed: Promise<unknown>;

  private constructor(private readonly child: ChildProcess) {
    child.stdout?.on('data', (data: Buffer) => this.out.push(data));
    child.stderr?.on('data', (data: Buffer) => this.err.push(data));
    this.closed = once(child, 'close');
  }

  static start(
    args: readonly string[],
    { cwd, env = {}, stdin = '' }: { cwd: string; env?: Record<string, string>; stdin?: string },
  ): TerminalClient {
    const { PATH = '' } = process.env;
    const child = spawn(process.execPath, [MAIN, ...args], { cwd, env: { PATH, ...env } });
    child.stdin.end(stdin);
    return new TerminalClient(child);
  }

  get stderr(): string {
    return Buffer.concat(this.err).toString();
  }

  /** Peak resident memory so far, in MiB (Linux). */
  get peakMiB(): number {
    const status = readFileSync(`/proc/${this.child.pid}/status`, 'utf8');
    return Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1]) / 1024;
  }

  signal(name: NodeJS.Signals): void {
    this.child.kill(name);
  }

  async end(): Promise<Outcome> {
    const timer = setTimeout(() => this.child.kill('SIGKILL'), 25_000);
    await this.closed;
    clearTimeout(timer);
    const stdout = Buffer.concat(this.out);
    return {
      code: this.child.exitCode,
      stdout,
      get json() {
        return JSON.parse(stdout.toString()) as Record<string, unknown>;
      },
      stderr: this.stderr,
    };
  }
}
