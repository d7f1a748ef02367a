/**
 * Whether a backend that answers may also be trusted with jobs. `closed`: it may. `open`: its health check failed, it rests.
 * `half_open`: it has rested, and gets one job on trial.
 */
export type Circuit =
  | { state: 'closed' }
  | { state: 'open'; /** Milliseconds since the epoch. */ until: number; rests: number }
  | { state: 'half_open'; rests: number };

export interface CircuitRules {
  /** Jobs in a row that are lost on the way after which the health check is asked. */
  faultsToCheck: number;
  /** First and longest rest, in milliseconds; each one without a success in between is twice as long. */
  minRestMs: number;
  maxRestMs: number;
  /** Milliseconds from the end of one health check to the next of its kind. */
  checkPauseMs: number;
  /** Bytes that the health check of the disk writes, and removes again: more than most pictures have. */
  probeBytes: number;
}

/** The longest rest is shorter than `NO_BACKEND_S`: a backend that works again is back before callers are refused because of its rest. */
export const CIRCUIT_RULES: CircuitRules = {
  faultsToCheck: 3,
  minRestMs: 2_000,
  maxRestMs: 20_000,
  checkPauseMs: 1_000,
  probeBytes: 8 * 1024 * 1024,
};

export const CLOSED: Circuit = { state: 'closed' };

/** What a success still under way says of an open circuit is old. */
export function afterSuccess(circuit: Circuit): Circuit {
  return circuit.state === 'open' ? circuit : CLOSED;
}

/** The health check failed. @param now milliseconds since the epoch */
export function afterFailedCheck(circuit: Circuit, now: number, rules: CircuitRules): Circuit {
  // Checks that were under way when it opened say nothing new.
  return circuit.state === 'open' ? circuit : restOn(circuit, now, rules);
}

/** It has rested, and an examination found nothing wrong. */
export function afterRest(circuit: Circuit): Circuit {
  return circuit.state === 'open' ? { state: 'half_open', rests: circuit.rests } : circuit;
}

/** An examination after a rest failed: on with it. */
export function restOn(circuit: Circuit, now: number, { minRestMs, maxRestMs }: CircuitRules): Circuit {
  const rests = circuit.state === 'closed' ? 0 : circuit.rests;
  return { state: 'open', until: now + Math.min(maxRestMs, minRestMs * 2 ** rests), rests: rests + 1 };
}
