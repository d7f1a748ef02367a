import { type Options, SingleBar } from 'cli-progress';
import type { Preview } from './preview.js';
import type { Progress } from './progress.js';

/** Columns for the bar itself. */
const BAR = 24;

const CLEAR_LINE = '\r\u001b[2K';
/** The bar goes back to where it was last saved when it stops (DECSC). */
const SAVE_CURSOR = '\u001b7';

/** For terminals: one line that changes, and above it the newest preview. */
export function bar(
  stream: NodeJS.WriteStream,
  preview: Preview | undefined,
  dim: (text: string) => string,
): Progress {
  let single: SingleBar | undefined;
  const options: Options = {
    stream,
    format: (_options, { progress }, payload: { value?: number; what: string }) => {
      const { value, what } = payload;
      const full = Math.round(progress * BAR);
      const percent = value === undefined ? '  – ' : `${String(Math.floor(value * 100)).padStart(3)}%`;
      const line = ` ${percent}  ${what}`;
      // cli-progress counts bytes of colours as columns, so that nothing behind the bar is coloured.
      return `${'█'.repeat(full)}${'░'.repeat(BAR - full)}${line}`;
    },
    hideCursor: true,
    linewrap: false,
    clearOnComplete: true,
    gracefulExit: false,
    forceRedraw: true,
    fps: 10,
  };
  const above = (text: string) => {
    stream.write(single === undefined ? text : `${CLEAR_LINE}${text}${SAVE_CURSOR}`);
  };
  return {
    show({ value, what }) {
      const payload = { value, what };
      if (single === undefined) {
        single = new SingleBar(options);
        single.start(1, value ?? 0, payload);
      } else single.update(value ?? 0, payload);
    },
    note: (text) => above(`${dim(text)}\n`),
    preview(bytes) {
      const drawn = single === undefined ? undefined : preview?.draw(bytes);
      if (drawn !== undefined) above(drawn);
    },
    stop() {
      single?.stop();
      single = undefined;
      preview?.end();
    },
  };
}
