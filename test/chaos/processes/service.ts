import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { request } from 'undici';
import { end, type Ending, endWithUs, hasEnded } from '../../processes/ending.js';

const MAIN = fileURLToPath(new URL('../../../dist/main.js', import.meta.url));

/** Milliseconds until it answers. */
const START_LIMIT_MS = 30_000;

/** Milliseconds after SIGTERM: the grace it is given, and as much again. */
const STOP_LIMIT_MS = 20_000;

/** Milliseconds around its absence in which a broken connection is explained by it. */
const MARGIN_MS = 1_000;

/** What `/health/ready` says of the backends. */
export interface Readiness {
  status: number;
  connected: number;
  waiting: number;
}

/** The built service in a process of its own, always on the same port, however often it is killed. */
export class ServiceProcess {
  /** Lives so far. */
  lives = 0;
  /** How it ended when nobody asked it to. */
  readonly deaths: Ending[] = [];
  private readonly absences: { from: number; to: number }[] = [];
  private child: ChildProcess | undefined;
  private forget: () => void = () => undefined;
  private expected = false;

  /**
   * @param folder its working directory, where nobody's `.env` lies; a log of each life goes there
   * @param env of the given life, counted from 1
   */
  constructor(
    private readonly folder: string,
    private readonly port: number,
    private readonly env: (life: number) => Record<string, string>,
  ) {}

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** @throws Error where it does not run */
  get pid(): number {
    const pid = this.child?.pid;
    if (pid === undefined) throw new Error('the service does not run');
    return pid;
  }

  /** Starts it, and waits until it answers. */
  async launch(): Promise<void> {
    this.lives += 1;
    const log = openSync(join(this.folder, `service-${this.lives}.log`), 'a');
    const child = spawn(process.execPath, [MAIN], {
      cwd: this.folder,
      stdio: ['ignore', log, log],
      env: { PATH: process.env['PATH'], HOST: '127.0.0.1', PORT: String(this.port), ...this.env(this.lives) },
    });
    closeSync(log);
    this.child = child;
    this.expected = false;
    this.forget = endWithUs(child);
    child.once('exit', (code, signal) => {
      if (!this.expected) this.deaths.push({ code, signal });
    });
    const deadline = Date.now() + START_LIMIT_MS;
    while (!(await this.isAlive())) {
      if (Date.now() > deadline || hasEnded(child)) throw new Error('the service did not start');
      await sleep(25);
    }
    const absence = this.absences.at(-1);
    if (absence?.to === Infinity) absence.to = Date.now() + MARGIN_MS;
  }

  /** SIGKILL. `launch` brings it back. */
  async kill(): Promise<void> {
    this.absences.push({ from: Date.now() - MARGIN_MS, to: Infinity });
    this.expected = true;
    if (this.child !== undefined) await end(this.child, 'SIGKILL', STOP_LIMIT_MS);
    this.forget();
  }

  /** SIGTERM. @returns how it ended, and in how many milliseconds */
  async stop(): Promise<Ending & { ms: number }> {
    const started = Date.now();
    this.expected = true;
    const ending =
      this.child === undefined ? { code: 0, signal: null } : await end(this.child, 'SIGTERM', STOP_LIMIT_MS);
    this.forget();
    return { ...ending, ms: Date.now() - started };
  }

  /** Was it killed in this time (ms since 1970)? */
  wasAway(from: number, to: number): boolean {
    return this.absences.some((absence) => absence.from <= to && from <= absence.to);
  }

  /** Is it away now? */
  get away(): boolean {
    return this.absences.at(-1)?.to === Infinity;
  }

  /** Undefined while it does not answer. */
  async readiness(): Promise<Readiness | undefined> {
    try {
      const { statusCode, body } = await this.ask('/health/ready');
      const { details } = JSON.parse(body) as { details: { backends: Omit<Readiness, 'status'> } };
      return { ...details.backends, status: statusCode };
    } catch {
      return undefined;
    }
  }

  private async isAlive(): Promise<boolean> {
    try {
      return (await this.ask('/health/live')).statusCode === 200;
    } catch {
      return false;
    }
  }

  /** On a connection of its own, which is gone afterwards. */
  private async ask(path: string): Promise<{ statusCode: number; body: string }> {
    const { statusCode, body } = await request(`${this.url}${path}`, {
      signal: AbortSignal.timeout(10_000),
      reset: true,
    });
    return { statusCode, body: await body.text() };
  }
}
