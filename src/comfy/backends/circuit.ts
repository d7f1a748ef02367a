/**
 * Whether a backend that answers may also be trusted with jobs. `closed`: it may. `open`: too many failed there, it rests.
 * `half_open`: it has rested and gets one job on trial.
 */
export type Circuit =
  | { state: 'closed'; faults: number }
  | { state: 'open'; /** Milliseconds since the epoch. */ until: number; rests: number }
  | { state: 'half_open'; rests: number };

export interface CircuitRules {
  /** Faults in a row that open the circuit. */
  faultsToOpen: number;
  /** First and longest rest, in milliseconds; each one without a success in between is twice as long. */
  minRestMs: number;
  maxRestMs: number;
}

export const CIRCUIT_RULES: CircuitRules = { faultsToOpen: 3, minRestMs: 2_000, maxRestMs: 60_000 };

export const CLOSED: Circuit = { state: 'closed', faults: 0 };

/** What a success still under way says of an open circuit is old. */
export function afterSuccess(circuit: Circuit): Circuit {
  return circuit.state === 'open' ? circuit : CLOSED;
}

/**
 * @param severe one is enough: the backend is known to fail whatever comes next
 * @param now milliseconds since the epoch
 */
export function afterFault(circuit: Circuit, severe: boolean, now: number, rules: CircuitRules): Circuit {
  switch (circuit.state) {
    case 'open':
      // Those that were there when it opened fail with it, and say nothing new.
      return circuit;
    case 'half_open':
      return rest(circuit.rests, now, rules);
    case 'closed':
      if (!severe && circuit.faults + 1 < rules.faultsToOpen) {
        return { state: 'closed', faults: circuit.faults + 1 };
      }
      return rest(0, now, rules);
  }
}

/** It has rested, and an examination found nothing wrong. */
export function afterRest(circuit: Circuit): Circuit {
  return circuit.state === 'open' ? { state: 'half_open', rests: circuit.rests } : circuit;
}

/** An examination after a rest failed: on with it. */
export function restOn(circuit: Circuit, now: number, rules: CircuitRules): Circuit {
  return rest(circuit.state === 'closed' ? 0 : circuit.rests, now, rules);
}

function rest(rests: number, now: number, { minRestMs, maxRestMs }: CircuitRules): Circuit {
  return { state: 'open', until: now + Math.min(maxRestMs, minRestMs * 2 ** rests), rests: rests + 1 };
}
