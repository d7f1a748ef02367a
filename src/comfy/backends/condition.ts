import {
  afterFailedCheck,
  afterRest,
  afterSuccess,
  type Circuit,
  type CircuitRules,
  CLOSED,
  restOn,
} from './circuit.js';

/**
 * `unreachable`: no connection. `checking`: connected, and being examined (what it still runs, the warm-up). `ready`: it
 * was found in order; whether it gets jobs is then up to its circuit and to the operator, who can drain it.
 */
export type BackendPhase = 'unreachable' | 'checking' | 'ready';

export interface BackendFailure {
  message: string;
  at: number;
}

export interface ConditionContext {
  rules: CircuitRules;
  /** Rejects where the backend is not in order. */
  examine: () => Promise<void>;
  /** Phase or circuit have changed. */
  changed: () => void;
}

/** Is a backend connected, in order and trusted? */
export class Condition {
  private currentPhase: BackendPhase = 'unreachable';
  private currentCircuit: Circuit = CLOSED;
  private restTimer: NodeJS.Timeout | undefined;
  /** Counts examinations: one that a lost connection overtook has nothing to say any more. */
  private examination = 0;
  private failure: BackendFailure | undefined;
  /** Jobs in a row that were lost on the way. */
  private faults = 0;
  private since = Date.now();

  constructor(private readonly context: ConditionContext) {}

  get phase(): BackendPhase {
    return this.currentPhase;
  }

  /** When the phase began, in ms since the epoch. */
  get phaseSince(): number {
    return this.since;
  }

  get circuit(): Circuit {
    return this.currentCircuit;
  }

  /** The last thing that was wrong with it. */
  get lastFailure(): BackendFailure | undefined {
    return this.failure;
  }

  /** In order, and not resting. */
  get good(): boolean {
    return this.currentPhase === 'ready' && this.currentCircuit.state !== 'open';
  }

  /** It is connected. */
  arrive(): void {
    this.setPhase('checking');
    // A rest goes on: its end brings the examination.
    if (this.restTimer === undefined) void this.examine();
  }

  /** The connection is lost. */
  goAway(): void {
    this.examination += 1;
    this.setPhase('unreachable');
  }

  /** It may not be in order: it is examined again. */
  doubt(): void {
    if (this.currentPhase === 'ready') void this.examine();
  }

  /** A job went well, or the health check did. */
  succeed(): void {
    this.faults = 0;
    this.setCircuit(afterSuccess(this.currentCircuit));
  }

  /** A job was lost on the way. @returns whether it is time for the health check */
  countFault(): boolean {
    this.faults += 1;
    return this.faults >= this.context.rules.faultsToCheck;
  }

  /** The health check failed. */
  fail(message: string): void {
    this.faults = 0;
    this.note(message);
    this.setCircuit(afterFailedCheck(this.currentCircuit, Date.now(), this.context.rules));
  }

  /** Something was wrong that by itself changes nothing. */
  note(message: string): void {
    this.failure = { message, at: Date.now() };
  }

  close(): void {
    clearTimeout(this.restTimer);
    this.examination += 1;
  }

  /** Settles the phase and the circuit; never rejects. */
  private async examine(): Promise<void> {
    this.examination += 1;
    const { examination } = this;
    this.setPhase('checking');
    try {
      await this.context.examine();
      // A rest that began meanwhile ends with an examination of its own.
      if (examination !== this.examination || this.restTimer !== undefined) return;
      this.setCircuit(afterRest(this.currentCircuit));
      this.setPhase('ready');
    } catch (error) {
      if (examination !== this.examination) return;
      this.note(messageOf(error));
      this.setCircuit(restOn(this.currentCircuit, Date.now(), this.context.rules));
    }
  }

  private setPhase(phase: BackendPhase): void {
    if (phase !== this.currentPhase) {
      this.currentPhase = phase;
      this.since = Date.now();
    }
    this.context.changed();
  }

  private setCircuit(circuit: Circuit): void {
    if (circuit === this.currentCircuit) return;
    this.currentCircuit = circuit;
    clearTimeout(this.restTimer);
    this.restTimer = undefined;
    if (circuit.state === 'open') {
      this.restTimer = setTimeout(() => {
        this.restTimer = undefined;
        if (this.currentPhase !== 'unreachable') void this.examine();
      }, circuit.until - Date.now());
      this.restTimer.unref();
    }
    this.context.changed();
  }
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : 'Unknown error';
}
