import { describe, expect, it } from 'vitest';
import { type Candidate, choose, MAX_PASSES, type Seat } from './matching.js';

interface FakeSeat extends Seat {
  readonly loaded: string[];
}

/** A backend that takes ten seconds to load a model. */
function seat(name: string, loaded: string[] = [], more: Partial<Seat> = {}): FakeSeat {
  return {
    name,
    loaded,
    usable: true,
    freeSlots: 1,
    backlogMs: 0,
    lastStart: 0,
    isCold: loaded.length === 0,
    loadMs: (models) => models.filter((model) => !loaded.includes(model)).length * 10_000,
    ...more,
  };
}

function wants(models: string[], more: Partial<Candidate> & { priority?: number } = {}): Candidate {
  const { priority = 0, ...rest } = more;
  return { job: { models, priority }, avoids: () => false, passed: 0, heldMs: undefined, ...rest };
}

/** Who goes where, as numbers of the lists. */
function pick(waiting: Candidate[], seats: Seat[]) {
  const { match, passed, held } = choose(waiting, seats);
  return {
    match: match && [waiting.indexOf(match.candidate), match.seat.name],
    passed: passed && waiting.indexOf(passed),
    held: held.map((candidate) => waiting.indexOf(candidate)),
  };
}

describe('choose', () => {
  it('gives the first in line to whoever is done first, then to whoever has waited longest', () => {
    const busy = seat('busy', [], { backlogMs: 100 });
    expect(
      pick([wants([]), wants([])], [busy, seat('late', [], { lastStart: 9 }), seat('early')]).match,
    ).toEqual([0, 'early']);
    expect(pick([wants([])], [busy]).match).toEqual([0, 'busy']);
  });

  it('finds nobody where nobody is free, or all are to be avoided', () => {
    expect(pick([wants([])], [seat('full', [], { freeSlots: 0 })]).match).toBeUndefined();
    const shy = wants([], { avoids: (name) => name === 'a' });
    expect(pick([shy, wants([])], [seat('a')]).match).toEqual([1, 'a']);
    expect(pick([shy], [seat('a'), seat('b', [], { backlogMs: 1e6 })]).match).toEqual([0, 'b']);
  });

  it('prefers the backend that has the models, even behind a job that is done sooner than they are loaded', () => {
    const idle = seat('idle', ['y']);
    expect(pick([wants(['x'])], [idle, seat('warm', ['x'], { backlogMs: 3_000 })]).match).toEqual([
      0,
      'warm',
    ]);
    expect(pick([wants(['x'])], [idle, seat('warm', ['x'], { backlogMs: 30_000 })]).match).toEqual([
      0,
      'idle',
    ]);
  });

  it('loads where nothing is lost by it: on a cold one, or on one whose models nobody wants', () => {
    const seats = [seat('wanted', ['y']), seat('unwanted', ['z'])];
    expect(pick([wants(['x']), wants(['y'])], seats).match).toEqual([0, 'unwanted']);
    expect(pick([wants(['x'])], [...seats, seat('cold')]).match).toEqual([0, 'cold']);
  });

  it('lets one behind go first that can use what is loaded, so often and no oftener', () => {
    const line = [wants(['x'], { passed: MAX_PASSES - 1 }), wants(['y'])];
    expect(pick(line, [seat('a', ['y'])])).toMatchObject({ match: [1, 'a'], passed: 0 });
    const patient = [wants(['x'], { passed: MAX_PASSES }), wants(['y'])];
    expect(pick(patient, [seat('a', ['y'])])).toMatchObject({ match: [0, 'a'], passed: undefined });
  });

  it('lets nobody of another priority go first', () => {
    const line = [wants(['x'], { priority: 5 }), wants(['y'])];
    expect(pick(line, [seat('a', ['y'])]).match).toEqual([0, 'a']);
  });

  it('waits for a busy backend that has the models, no longer than loading them would take', () => {
    const seats = [seat('idle', ['y']), seat('busy', ['x'], { freeSlots: 0, backlogMs: 2_000 })];
    expect(pick([wants(['x']), wants([])], seats)).toMatchObject({ match: [1, 'idle'], held: [0] });
    expect(pick([wants(['x'], { heldMs: 9_999 })], seats)).toMatchObject({ match: undefined, held: [0] });
    expect(pick([wants(['x'], { heldMs: 10_000 })], seats).match).toEqual([0, 'idle']);
    const gone = seat('gone', ['x'], { freeSlots: 0, usable: false });
    expect(pick([wants(['x'])], [seat('idle', ['y']), gone]).match).toEqual([0, 'idle']);
  });

  it('pays no heed to models that cost nothing to load', () => {
    const free = seat('free', ['y'], { loadMs: () => 0 });
    expect(pick([wants(['x']), wants(['y'])], [free])).toMatchObject({
      match: [0, 'free'],
      passed: undefined,
    });
  });
});
