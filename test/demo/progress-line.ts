import { Presets, SingleBar } from 'cli-progress';

/** Shows how far a job is; leaves an empty line behind. */
export interface ProgressLine {
  /** @param value 0 to 1 */
  show(value: number, what: string): void;
  done(what: string): void;
  stop(): void;
}

/** A bar where somebody is watching, plain lines in a log. */
export function createProgressLine(): ProgressLine {
  return process.stdout.isTTY ? bar() : plainLines();
}

function bar(): ProgressLine {
  const single = new SingleBar(
    { format: '   [{bar}] {percentage}%  {what}', barsize: 32, hideCursor: true, fps: 30 },
    Presets.shades_grey,
  );
  single.start(100, 0, { what: 'waiting' });
  const stop = () => {
    single.stop();
    console.log();
  };
  return {
    show: (value, what) => single.update(Math.floor(value * 100), { what }),
    done(what) {
      single.update(100, { what });
      stop();
    },
    stop,
  };
}

function plainLines(): ProgressLine {
  let shown = -Infinity;
  const print = (percent: number, what: string) => console.log(`   ${String(percent).padStart(3)}%  ${what}`);
  return {
    show(value, what) {
      const percent = Math.floor(value * 100);
      if (percent < shown + 20) return;
      shown = percent;
      print(percent, what);
    },
    done: (what) => print(100, `${what}\n`),
    stop: () => console.log(),
  };
}
