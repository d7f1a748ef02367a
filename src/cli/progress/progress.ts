import { printable } from '../../printable/index.js';

/** How far something is. */
export interface View {
  /** 0 to 1; undefined: nobody can tell. */
  value: number | undefined;
  what: string;
}

/** Shows on standard error how a command gets on. */
export interface Progress {
  show(view: View): void;
  /** A line that stays. */
  note(text: string): void;
  /** A picture of what is being made, where the terminal can show one. */
  preview(bytes: Buffer): void;
  /** Nothing is shown any more; the terminal is as it was. */
  stop(): void;
}

/** For `--quiet`. */
export const NO_PROGRESS: Progress = {
  show: () => {},
  note: () => {},
  preview: () => {},
  stop: () => {},
};

/** The same, of whose words none steers the terminal: the server says them. */
export function printableProgress(progress: Progress): Progress {
  return {
    show: ({ value, what }) => progress.show({ value, what: printable(what) }),
    note: (text) => progress.note(printable(text)),
    preview: (bytes) => progress.preview(bytes),
    stop: () => progress.stop(),
  };
}
