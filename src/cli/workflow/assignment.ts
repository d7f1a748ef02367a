import { usageError } from '../cli.error.js';
import { parseJson } from './json.js';

/** What `--set` gives an input. */
export type AssignedValue = { kind: 'value'; value: unknown } | { kind: 'file'; path: string };

/** One `--set <node>.<input>=<value>`. */
export interface Assignment {
  /** `<node>.<input>`: only the workflow tells which dot divides it, since ids, titles and inputs may hold dots. */
  target: string;
  value: AssignedValue;
}

const FORM =
  'Write --set <node>.<input>=<value>, for example --set 6.text="a red fox" or --set 10.image=@photo.png.';

/**
 * Reads what stands behind `--set`. A value is JSON where it parses as JSON, else text; `@path` is a file to upload, and `@@text`
 * the text that begins with one `@`.
 * @throws CliError `usage`
 */
export function parseAssignment(source: string): Assignment {
  const equals = source.indexOf('=');
  const target = source.slice(0, Math.max(equals, 0)).trim();
  if (equals < 0 || !/^.+\..+$/s.test(target)) {
    throw usageError(`--set ${source}: this is not an assignment.`, FORM);
  }
  const text = source.slice(equals + 1);
  if (text.startsWith('@@')) return { target, value: { kind: 'value', value: text.slice(1) } };
  if (text.startsWith('@')) {
    if (text.length === 1) throw usageError(`--set ${source}: the name of the file is missing.`, FORM);
    return { target, value: { kind: 'file', path: text.slice(1) } };
  }
  return { target, value: { kind: 'value', value: jsonOrText(text) } };
}

function jsonOrText(text: string): unknown {
  try {
    return parseJson(text);
  } catch {
    return text;
  }
}
