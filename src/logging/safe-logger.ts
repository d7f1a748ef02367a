import { inspect } from 'node:util';
import { ConsoleLogger, type LogLevel } from '@nestjs/common';
import { printable, printableJson, printableStack } from '../printable/index.js';

/** Errors that one error names as its cause, each in turn, that are written. */
const MAX_CAUSES = 5;

/**
 * Writes log records so that no text in them can pass for another record or steer a terminal, whoever wrote it: callers, ComfyUI,
 * receivers of webhooks. In text a record is one line, and one for each frame of a stack; in JSON it is one line with the same values.
 */
export class SafeLogger extends ConsoleLogger {
  protected override stringifyMessage(message: unknown, logLevel: LogLevel): string {
    const value = this.resolveMessage(message);
    if (typeof value === 'string') return this.colorize(printableStack(value), logLevel);
    return this.colorize(value instanceof Error ? errorText(value) : this.inOneLine(value), logLevel);
  }

  protected override formatContext(context: string): string {
    return super.formatContext(printable(context));
  }

  protected override stringifyParams(params: Record<string, unknown>): string {
    return this.inOneLine(params);
  }

  protected override printStackTrace(stack: unknown): void {
    if (stack === undefined || stack === null || stack === '') return;
    // Indented, as is every line of a record but the first.
    super.printStackTrace(`  ${typeof stack === 'string' ? printableStack(stack) : this.inOneLine(stack)}`);
  }

  protected override stringifyJsonLogObject(record: Record<string, unknown>): string {
    const text = super.stringifyJsonLogObject(record);
    // What cannot be written as JSON comes as Node would show it.
    return text.startsWith('{"') ? printableJson(text) : printable(text);
  }

  private inOneLine(value: unknown): string {
    const options = { ...this.inspectOptions, colors: false, compact: true, breakLength: Infinity };
    return printable(inspect(value, options));
  }
}

function errorText(error: Error): string {
  const parts: string[] = [];
  for (let at: unknown = error; at instanceof Error && parts.length <= MAX_CAUSES; at = at.cause) {
    parts.push(printableStack(at.stack ?? String(at)));
  }
  return parts.join('\n  caused by: ');
}
