import { describe, expect, it } from 'vitest';
import { afterFailedCheck, afterRest, afterSuccess, type Circuit, CLOSED, restOn } from './circuit.js';

const RULES = { faultsToCheck: 3, minRestMs: 100, maxRestMs: 350, checkPauseMs: 1, probeBytes: 65_536 };
const fail = (circuit: Circuit, now = 0) => afterFailedCheck(circuit, now, RULES);

describe('the circuit', () => {
  it('opens where a health check fails', () => {
    expect(fail(CLOSED, 50)).toEqual({ state: 'open', until: 150, rests: 1 });
  });

  it('hears nothing while it is open', () => {
    const open: Circuit = { state: 'open', until: 100, rests: 1 };
    expect(fail(open, 50)).toBe(open);
    expect(afterSuccess(open)).toBe(open);
  });

  it('closes after a good trial, and rests twice as long after a bad one, up to a limit', () => {
    const trial = afterRest({ state: 'open', until: 100, rests: 1 });
    expect(trial).toEqual({ state: 'half_open', rests: 1 });
    expect(afterSuccess(trial)).toEqual(CLOSED);
    expect(fail(trial, 0)).toEqual({ state: 'open', until: 200, rests: 2 });
    expect(restOn({ state: 'open', until: 0, rests: 2 }, 0, RULES)).toMatchObject({ until: 350, rests: 3 });
    expect(restOn(CLOSED, 0, RULES)).toMatchObject({ until: 100, rests: 1 });
    expect(afterRest(CLOSED)).toBe(CLOSED);
  });
});
