import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const MAIN = new URL('../../../dist/main.js', import.meta.url).pathname;

/** The built service as users run it: a process of its own. */
export class Service {
  private constructor(
    private readonly child: ChildProcess,
    readonly url: string,
    private readonly folder: string,
    private readonly output: string[],
  ) {}

  /** Starts it in an empty folder and waits until it listens. */
  static async start(env: Record<string, string>): Promise<Service> {
    const folder = await mkdtemp(join(tmpdir(), 'service-'));
    const output: string[] = [];
    const child = run(
      folder,
      { PORT: '0', HOST: '127.0.0.1', ENABLE_OSS: 'false', MIN_FREE_MB: '0', SHUTDOWN_GRACE_S: '1', ...env },
      output,
    );
    for (let waited = 0; waited < 20_000; waited += 20) {
      const url = /Listening on (http:\/\/\S+);/.exec(output.join(''))?.[1];
      if (url !== undefined) return new Service(child, url, folder, output);
      if (child.exitCode !== null) break;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    child.kill('SIGKILL');
    throw new Error(`the service did not start:\n${output.join('')}`);
  }

  /** Runs it until it ends by itself, or by SIGTERM as soon as it says something. */
  static async runToEnd(
    env: Record<string, string>,
    stopAt?: string,
  ): Promise<{ code: number | null; output: string }> {
    const folder = await mkdtemp(join(tmpdir(), 'service-'));
    const output: string[] = [];
    const child = run(folder, env, output);
    child.stdout?.on('data', () => {
      if (stopAt === undefined || !output.join('').includes(stopAt)) return;
      child.kill('SIGTERM');
      // A second one would end it at once.
      stopAt = undefined;
    });
    await once(child, 'close');
    await rm(folder, { recursive: true });
    return { code: child.exitCode, output: output.join('') };
  }

  get pid(): number | undefined {
    return this.child.pid;
  }

  get log(): string {
    return this.output.join('');
  }

  /** Peak resident memory so far, in MiB (Linux). */
  get peakMiB(): number {
    const status = readFileSync(`/proc/${this.child.pid}/status`, 'utf8');
    return Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1]) / 1024;
  }

  signal(name: NodeJS.Signals): void {
    this.child.kill(name);
  }

  /** SIGTERM, and how it ended. */
  async stop(): Promise<{ code: number | null; signal: NodeJS.Signals | null; ms: number }> {
    const started = Date.now();
    this.child.kill('SIGTERM');
    const timer = setTimeout(() => this.child.kill('SIGKILL'), 15_000);
    if (this.child.exitCode === null) await once(this.child, 'close');
    clearTimeout(timer);
    await rm(this.folder, { recursive: true, force: true });
    return { code: this.child.exitCode, signal: this.child.signalCode, ms: Date.now() - started };
  }
}

function run(cwd: string, env: Record<string, string>, output: string[]): ChildProcess {
  const { PATH = '' } = process.env;
  const child = spawn(process.execPath, [MAIN], { cwd, env: { PATH, ...env } });
  for (const stream of [child.stdout, child.stderr])
    stream?.on('data', (data: Buffer) => output.push(data.toString()));
  return child;
}
