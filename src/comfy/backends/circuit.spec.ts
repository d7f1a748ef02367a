import { describe, expect, it } from 'vitest';
import { ComfyError } from '../comfy.error.js';
import { blameOf } from './blame.js';
import { afterFault, afterRest, afterSuccess, type Circuit, CLOSED, restOn } from './circuit.js';

const RULES = { faultsToOpen: 3, minRestMs: 100, maxRestMs: 350 };
const fault = (circuit: Circuit, now = 0) => afterFault(circuit, false, now, RULES);

describe('the circuit', () => {
  it('opens after so many faults in a row', () => {
    const two = fault(fault(CLOSED));
    expect(two).toEqual({ state: 'closed', faults: 2 });
    expect(fault(two, 50)).toEqual({ state: 'open', until: 150, rests: 1 });
    expect(fault(afterSuccess(two))).toEqual({ state: 'closed', faults: 1 });
  });

  it('opens at once where the backend is known to fail again', () => {
    expect(afterFault(CLOSED, true, 0, RULES)).toEqual({ state: 'open', until: 100, rests: 1 });
  });

  it('hears nothing while it is open', () => {
    const open: Circuit = { state: 'open', until: 100, rests: 1 };
    expect(fault(open, 50)).toBe(open);
    expect(afterSuccess(open)).toBe(open);
  });

  it('closes after a good trial, and rests twice as long after a bad one, up to a limit', () => {
    const trial = afterRest({ state: 'open', until: 100, rests: 1 });
    expect(trial).toEqual({ state: 'half_open', rests: 1 });
    expect(afterSuccess(trial)).toEqual(CLOSED);
    expect(fault(trial, 0)).toEqual({ state: 'open', until: 200, rests: 2 });
    expect(restOn({ state: 'open', until: 0, rests: 2 }, 0, RULES)).toMatchObject({ until: 350, rests: 3 });
    expect(restOn(CLOSED, 0, RULES)).toMatchObject({ until: 100, rests: 1 });
    expect(afterRest(CLOSED)).toBe(CLOSED);
  });
});

describe('blameOf', () => {
  it.each([
    [new ComfyError('no_backend', ''), 'fault'],
    [new ComfyError('backend_lost', ''), 'fault'],
    [new ComfyError('backend_lost', '', { reason: 'sick' }), 'severe'],
    [new ComfyError('backend_lost', '', { reason: 'output_gone' }), 'none'],
    [new ComfyError('backend_lost', '', { reason: 'deleted' }), 'none'],
    [new ComfyError('job_stalled', ''), 'severe'],
    [new ComfyError('job_timeout', ''), 'none'],
    [new ComfyError('interrupted', ''), 'none'],
    [new ComfyError('node_execution_error', ''), 'works'],
    [new ComfyError('invalid_workflow', ''), 'works'],
    [new ComfyError('out_of_memory', ''), 'works'],
    [new Error('oops'), 'none'],
  ])('%s %#: %s', (error, blame) => {
    expect(blameOf(error)).toBe(blame);
  });
});
