import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { StandinOptions } from '../../comfyui/index.js';
import { end, endWithUs, hasEnded } from '../../processes/ending.js';
import type { Execution, FaultArguments, FaultName, Order, Report, StandinLook } from './standin-protocol.js';

const CHILD = fileURLToPath(new URL('./standin.child.ts', import.meta.url));

/** Milliseconds until it listens; two cores may be busy with everything else. */
const START_LIMIT_MS = 30_000;

/** Milliseconds until it does as it is told. */
const ANSWER_LIMIT_MS = 10_000;

interface Waiting {
  resolve: (look: StandinLook | undefined) => void;
  reject: (error: Error) => void;
  timer: NodeJS.Timeout;
}

/** A ComfyUI stand-in in a process of its own, always on the same port and folder, however often it is killed. */
export class StandinProcess {
  /** Every prompt that ran, in all lives; the last ten milliseconds before a SIGKILL may be missing. */
  readonly executed: Execution[] = [];
  private readonly waiting = new Map<number, Waiting>();
  private child: ChildProcess | undefined;
  private forget: () => void = () => undefined;
  private orders = 0;

  private constructor(private readonly options: StandinOptions) {}

  /** @param options with port and folder */
  static async start(options: StandinOptions & { port: number; dataDir: string }): Promise<StandinProcess> {
    const standin = new StandinProcess({ journalSize: 1e6, ...options });
    await standin.launch();
    return standin;
  }

  /** SIGKILL: nothing is said, nothing is finished. */
  async kill(): Promise<void> {
    if (this.child !== undefined) await end(this.child, 'SIGKILL', ANSWER_LIMIT_MS);
    this.forget();
  }

  /** Again, after `kill`. */
  async launch(): Promise<void> {
    const child = fork(CHILD, [JSON.stringify(this.options)], {
      execArgv: ['--import', 'tsx'],
      serialization: 'advanced',
    });
    this.child = child;
    this.forget = endWithUs(child);
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => {
        child.kill('SIGKILL');
        reject(new Error('a stand-in did not start in time'));
      }, START_LIMIT_MS);
      child.on('message', (report: Report) => {
        if (report.type === 'listening') {
          clearTimeout(timer);
          resolve();
        } else this.hear(report);
      });
      child.once('exit', (code, signal) => {
        clearTimeout(timer);
        this.giveUpWaiting();
        reject(new Error(`a stand-in ended while it started (${code ?? signal})`));
      });
    });
  }

  /** SIGSTOP: the system goes on accepting connections and bytes for it. */
  freeze(): void {
    this.child?.kill('SIGSTOP');
  }

  /** SIGCONT. */
  thaw(): void {
    this.child?.kill('SIGCONT');
  }

  /** Calls a method of `test/comfyui/faults.ts`. */
  async fault<Name extends FaultName>(name: Name, ...args: FaultArguments<Name>): Promise<void> {
    await this.order({ do: 'fault', name, args });
  }

  async look(): Promise<StandinLook> {
    const look = await this.order({ do: 'look' });
    if (look === undefined) throw new Error('a stand-in did not say how it is');
    return look;
  }

  async stop(): Promise<void> {
    if (this.child !== undefined) {
      this.thaw();
      await end(this.child, 'SIGTERM', 5_000);
    }
    this.forget();
  }

  private order(
    order: { do: 'look' } | { do: 'fault'; name: FaultName; args: readonly unknown[] },
  ): Promise<StandinLook | undefined> {
    const { child } = this;
    const id = (this.orders += 1);
    return new Promise((resolve, reject) => {
      if (child === undefined || hasEnded(child)) return reject(new Error('the stand-in is down'));
      const timer = setTimeout(() => {
        this.waiting.delete(id);
        reject(new Error(`a stand-in did not answer: ${order.do}`));
      }, ANSWER_LIMIT_MS);
      this.waiting.set(id, { resolve, reject, timer });
      child.send({ id, ...order } satisfies Order, (error) => {
        if (error !== null) this.settle(id, ({ reject: fail }) => fail(error));
      });
    });
  }

  private hear(report: Exclude<Report, { type: 'listening' }>): void {
    if (report.type === 'executed') this.executed.push(...report.prompts);
    else {
      this.settle(report.id, ({ resolve, reject }) =>
        report.error === undefined ? resolve(report.look) : reject(new Error(report.error)),
      );
    }
  }

  private giveUpWaiting(): void {
    for (const id of this.waiting.keys())
      this.settle(id, ({ reject }) => reject(new Error('the stand-in ended')));
  }

  private settle(id: number, how: (waiting: Waiting) => void): void {
    const waiting = this.waiting.get(id);
    if (waiting === undefined) return;
    this.waiting.delete(id);
    clearTimeout(waiting.timer);
    how(waiting);
  }
}
