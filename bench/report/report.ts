/** What we want a figure to be. */
export interface Target {
  what: string;
  measured: string;
  wanted: string;
  met: boolean;
}

/** What one scenario found out. */
export interface Report {
  /** Name of the scenario, as in `--only`. */
  scenario: string;
  title: string;
  /** One line: what was done, and how to read it. */
  explanation: string;
  /** First row: headings. First column: names. */
  table: string[][];
  targets: Target[];
  /** The figures as numbers, for `--json`. */
  figures: Record<string, unknown>;
}

export const ms = (value: number) => `${value.toFixed(2)} ms`;
export const signedMs = (value: number) => `${value < 0 ? '−' : '+'}${ms(Math.abs(value))}`;
export const times = (value: number) => `${value.toFixed(2)}×`;
export const rate = (value: number) => `${value.toFixed(0)}/s`;
export const megabytes = (value: number | undefined) =>
  value === undefined ? 'unknown' : `${value.toFixed(0)} MB`;
