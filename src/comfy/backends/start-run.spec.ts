import { BehaviorSubject, of } from 'rxjs';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { RunEvent, Unreachable } from '../client/index.js';
import { type BackendRun, type RunParts, startRun } from './start-run.js';
import { Turns } from './turns.js';

const down = (refused: boolean): Unreachable => ({ short: 'x', message: 'X.', refused });

/** A job of an earlier process, whose backend is not connected. */
function adopt(hasAlternative: () => boolean) {
  const connected$ = new BehaviorSubject(false);
  const unreachable$ = new BehaviorSubject<Unreachable | undefined>(undefined);
  const run = () => of<RunEvent>({ type: 'started' });
  const parts = { client: { connected$, unreachable$, run }, turns: new Turns(), refusedAfterMs: 3_000 };
  const request = { adopted: true, stored: Promise.resolve(), hasAlternative };
  const seen: unknown[] = [];
  startRun(parts as unknown as RunParts, request as unknown as BackendRun).subscribe({
    next: ({ type }) => seen.push(type),
    error: ({ reason }: { reason: unknown }) => seen.push(reason),
    complete: () => seen.push('end'),
  });
  return { connected$, unreachable$, seen };
}

beforeEach(() => vi.useFakeTimers());
afterEach(() => vi.useRealTimers());

it('an adopted run follows as soon as there is a connection', () => {
  const { connected$, unreachable$, seen } = adopt(() => true);
  unreachable$.next(down(true));
  vi.advanceTimersByTime(2_900);
  unreachable$.next(undefined);
  connected$.next(true);
  vi.advanceTimersByTime(600_000);
  expect(seen).toEqual(['started', 'end']);
});

it('is given up soon where nobody listens and another backend is usable, also one that is so later', () => {
  let usable = false;
  const { unreachable$, seen } = adopt(() => usable);
  for (let tries = 0; tries < 10; tries += 1) {
    unreachable$.next(down(true));
    vi.advanceTimersByTime(1_000);
  }
  expect(seen).toEqual([]);
  usable = true;
  vi.advanceTimersByTime(3_000);
  expect(seen).toEqual(['not_found_again']);
});

it.each([
  ['the backend is the only one', true, false],
  ['it does not answer, which a restart or a network may be', false, true],
])('is waited for long where %s', (_, refused, alternative) => {
  const { unreachable$, seen } = adopt(() => alternative);
  unreachable$.next(down(refused));
  vi.advanceTimersByTime(299_000);
  expect(seen).toEqual([]);
  vi.advanceTimersByTime(1_000);
  expect(seen).toEqual(['not_found_again']);
});
