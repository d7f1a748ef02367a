import { EventEmitter } from 'node:events';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Interruption } from './interruption.js';

describe('Ctrl-C', () => {
  const left: number[] = [];
  let process: EventEmitter;
  let interruption: Interruption;

  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['performance'] });
    left.length = 0;
    process = new EventEmitter();
    interruption = new Interruption(process as NodeJS.Process, (exit) => left.push(exit));
  });
  afterEach(() => void vi.useRealTimers());

  it('ends the work, and the reason says with which exit code', () => {
    process.emit('SIGINT', 'SIGINT');
    expect(interruption.signal.reason).toMatchObject({ exit: 130, problem: { code: 'cancelled' } });
    expect(left).toEqual([]);
  });

  it('counts once where npx passes on what the terminal has told already', () => {
    process.emit('SIGINT', 'SIGINT');
    vi.advanceTimersByTime(200);
    process.emit('SIGINT', 'SIGINT');
    expect(left).toEqual([]);
  });

  it('ends the program at the second time', () => {
    process.emit('SIGINT', 'SIGINT');
    vi.advanceTimersByTime(400);
    process.emit('SIGTERM', 'SIGTERM');
    expect(left).toEqual([143]);
  });

  it('is listened to no longer than needed', () => {
    interruption.stop();
    expect(process.eventNames()).toEqual([]);
  });
});
