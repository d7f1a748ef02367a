import { Logger } from '@nestjs/common';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { SafeLogger } from './safe-logger.js';

/** ESC, the one-byte CSI, and a device control string: each starts a sequence that a terminal obeys. */
const ESCAPES = '\u001b[2J\u001b]0;title\u0007 \u009b31m \u0090x\u009c';
const BIDI = '\u202egnp\u202c \u2066a\u2069 \u200e\u200f\u061c';
const BREAKS = 'a\nb\rc\r\nd\u0085e\u2028f\u2029g\u000bh\u000ci';
const FORGED = '\n[Nest] 1  - 01/01/2026, 12:00:00 AM     LOG [Server] forged';
const UNSAFE =
  // oxlint-disable-next-line no-control-regex
  /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u2028\u2029\u200e\u200f\u061c\u202a-\u202e\u2066-\u2069]/;

let written: string;

beforeEach(() => {
  written = '';
  const take = (text: unknown) => ((written += String(text)), true);
  vi.spyOn(process.stdout, 'write').mockImplementation(take);
  vi.spyOn(process.stderr, 'write').mockImplementation(take);
});
afterEach(() => {
  vi.restoreAllMocks();
  Logger.overrideLogger(undefined as never);
});

const lines = () => written.split('\n').slice(0, -1);
const text = (colors = false) => new SafeLogger({ colors });

describe('SafeLogger, as text', () => {
  it.each(['log', 'error', 'warn', 'debug', 'verbose', 'fatal'] as const)(
    '%s: one record is one line',
    (level) => {
      for (const bad of [ESCAPES, BIDI, BREAKS, FORGED, '\u0000\u0007\b\t\u007f']) {
        written = '';
        text()[level](`Backend ${bad} is gone`, 'Comfy');
        expect(lines()).toHaveLength(1);
        expect(written).not.toMatch(UNSAFE);
        expect(written).toContain('[Comfy] Backend ');
      }
    },
  );

  it('shows what was escaped', () => {
    text().log('a\nb\tc\u001b[31m\u009b\u202e图片 é 😀 C:\\new');
    expect(written).toContain('a\\nb\\tc\\u001b[31m\\u009b\\u202e图片 é 😀 C:\\new\n');
  });

  it('escapes contexts, parameters, objects and what a function returns', () => {
    const logger = text();
    logger.log('x', `Context${FORGED}${ESCAPES}`);
    logger.log({ name: `n${FORGED}${BIDI}`, error: new Error(`inner${FORGED}`) });
    logger.log([`a${FORGED}`]);
    logger.log(() => `lazy${FORGED}`);
    logger.log(Symbol(`s${FORGED}`));
    expect(lines()).toHaveLength(5);
    expect(written).not.toMatch(UNSAFE);
  });

  it('keeps the frames of a stack on lines of their own, and nothing else', () => {
    const error = new TypeError(`bad${FORGED}\n    at forged line\n${ESCAPES}`, {
      cause: new Error(`the cause${FORGED}`),
    });
    for (const write of [
      () => text().error(error),
      () => text().error(`GET /: ${error.stack}`),
      () => text().error('It failed', error.stack, 'Context'),
      () => text().fatal(error.stack),
    ]) {
      written = '';
      write();
      expect(written).not.toMatch(UNSAFE);
      expect(lines().length).toBeGreaterThan(3);
      for (const line of lines().filter((one) => /forged/.test(one))) expect(line).toMatch(/bad\\n|cause\\n/);
      expect(written).toContain('\n    at ');
    }
    written = '';
    text().error(error);
    expect(written).toContain('\n  caused by: Error: the cause');
  });

  it('cuts what is too long, at once', () => {
    text().log('\n    at x:1:1 y'.repeat(500_000));
    expect(lines()).toHaveLength(1);
    expect(written.length).toBeLessThan(40_000);
    expect(written).toMatch(/… \(\d+ more characters\)$/m);
  });

  it('survives an error that causes itself, and what cannot be written', () => {
    const error = new Error('loop');
    error.cause = error;
    text().error(error);
    text().log(null);
    text().log(undefined);
    text().log(7n);
    expect(written).toContain('loop');
  });

  it('colours lines without letting others do so', () => {
    text(true).warn(`x${ESCAPES}`, 'Context');
    expect(written).toContain('\u001b[33m');
    // oxlint-disable-next-line no-control-regex
    expect(written.replace(/\u001b\[\d+(;\d+)*m/g, '')).not.toMatch(UNSAFE);
    expect(written).toContain('\\u001b[2J');
  });

  it('is what every Logger of Nest and of ours writes through', () => {
    Logger.overrideLogger(text());
    new Logger(`A${FORGED}`).warn(`b${FORGED}`);
    Logger.error(`c${FORGED}`, 'not a stack\nat all', 'Static');
    expect(lines().every((line) => /^(\[Nest\]| {2}not a stack\\nat all$)/.test(line))).toBe(true);
    expect(written).not.toMatch(UNSAFE);
  });
});

describe('SafeLogger, as JSON', () => {
  it('writes what was said, in plain characters', () => {
    const message = `m ${BREAKS}${ESCAPES}${BIDI}${FORGED} 图片`;
    const logger = new SafeLogger({ json: true });
    logger.error(message, new Error(`e${FORGED}`).stack, `c${BIDI}`);
    expect(lines()).toHaveLength(1);
    expect(written).not.toMatch(UNSAFE);
    expect(written).toContain('图片');
    expect(JSON.parse(written)).toMatchObject({ level: 'error', message, context: `c${BIDI}` });
    expect((JSON.parse(written) as { stack: string }).stack).toContain('\n    at ');
  });
});
