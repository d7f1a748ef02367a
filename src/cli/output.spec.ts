import { describe, expect, it } from 'vitest';
import { CliError } from './cli.error.js';
import { EXIT } from './exit-codes.js';
import { errorText, jsonText, table } from './output.js';
import { printableProgress, type View } from './progress/progress.js';
import { pathIn } from './save/target.js';

/** A line of its own, an escape sequence in either spelling, and text that turns around. */
const BAD = 'x\nError: forged\u001b[2J\u009b2J\u202egnp';
const SHOWN = 'x\\nError: forged\\u001b[2J\\u009b2J\\u202egnp';

describe('text of the server in a terminal', () => {
  it('stays in its line in errors', () => {
    const problem = {
      code: BAD,
      status: 502,
      detail: BAD,
      job_id: BAD,
      node_errors: { [BAD]: { class_type: BAD, errors: [{ message: BAD, details: BAD, input: BAD }] } },
      errors: [{ field: BAD, message: BAD }],
    };
    const lines = errorText(new CliError(EXIT.refused, problem, BAD), (text) => `<${text}>`).split('\n');
    expect(lines).toEqual([
      `<Error:> ${SHOWN} [${SHOWN}, job ${SHOWN}]`,
      `  node ${SHOWN} (${SHOWN}), input ${SHOWN}: ${SHOWN}: ${SHOWN}`,
      `  ${SHOWN} ${SHOWN}`,
      SHOWN,
      '',
    ]);
  });

  it('stays in its cell in tables, and columns fit', () => {
    expect(table(['A', 'B'], [[BAD, 'b']])).toEqual([`A${' '.repeat(SHOWN.length + 1)}B`, `${SHOWN}  b`]);
  });

  it('is the same in JSON, in characters that no terminal obeys', () => {
    const text = jsonText({ name: BAD });
    expect(JSON.parse(text)).toEqual({ name: BAD });
    expect(text.split('\n')).toHaveLength(4);
    expect(text).toMatch(/^[\n\u0020-\u007e]*$/);
  });

  it('steers nothing while a job runs', () => {
    const views: View[] = [];
    const notes: string[] = [];
    const progress = printableProgress({
      show: (view) => views.push(view),
      note: (text) => notes.push(text),
      preview: () => {},
      stop: () => {},
    });
    progress.show({ value: 0.5, what: BAD });
    progress.note(BAD);
    expect([views, notes]).toEqual([[{ value: 0.5, what: SHOWN }], [SHOWN]]);
  });

  it('names no file in a way that steers one', () => {
    expect(pathIn('out', `a${BAD}.png`)).toBe('out/ax_Error_ forged_[2J_2J_gnp.png');
  });
});
