import { CliError } from './cli.error.js';
import { EXIT } from './exit-codes.js';

/** npx passes Ctrl-C on to a program that the terminal has told of it already: so soon, it is the same one. */
const SAME_PRESS_MS = 300;

/** Ctrl-C and SIGTERM: the first one lets the command clean up, the second one ends the program. */
export class Interruption {
  private readonly controller = new AbortController();
  private at = 0;

  /** @param leave ends the program at once */
  constructor(
    private readonly process: NodeJS.Process,
    private readonly leave: (exit: number) => void,
  ) {
    process.on('SIGINT', this.onSignal);
    process.on('SIGTERM', this.onSignal);
  }

  /** Its reason is a CliError. */
  get signal(): AbortSignal {
    return this.controller.signal;
  }

  stop(): void {
    this.process.off('SIGINT', this.onSignal);
    this.process.off('SIGTERM', this.onSignal);
  }

  private readonly onSignal = (name: NodeJS.Signals): void => {
    const exit = name === 'SIGTERM' ? EXIT.terminated : EXIT.interrupted;
    if (!this.signal.aborted) {
      this.at = performance.now();
      this.controller.abort(new CliError(exit, { code: 'cancelled', detail: 'Stopped.' }));
    } else if (performance.now() - this.at > SAME_PRESS_MS) this.leave(exit);
  };
}
