import type { JobPlan } from '../jobs/plan.js';
import type { Verdict } from '../jobs/judge.js';

/** What all the calls came to. */
export class Tally {
  sent = 0;
  hungUp = 0;
  killed = 0;
  /** Titles of jobs that were answered with the right bytes. */
  readonly right = new Set<string>();
  /** By code: errors that the job had to end in, and those of bad luck. */
  readonly askedFor = new Map<string, number>();
  readonly unlucky = new Map<string, number>();
  /** A line each. */
  readonly wrong: string[] = [];
  readonly hung: string[] = [];

  add(plan: JobPlan, verdict: Verdict): void {
    this.sent += 1;
    const job = `job ${plan.number} (${plan.kind}, ${plan.path}, ${plan.answer})`;
    switch (verdict.is) {
      case 'right':
        this.right.add(plan.title);
        break;
      case 'asked for':
        increase(this.askedFor, verdict.code);
        break;
      case 'unlucky':
        increase(this.unlucky, verdict.code);
        break;
      case 'hung up':
        this.hungUp += 1;
        break;
      case 'killed':
        this.killed += 1;
        break;
      case 'wrong':
        this.wrong.push(`${job}: ${verdict.why}`);
        break;
      case 'hung':
        this.hung.push(`${job}: ${verdict.why}`);
        break;
    }
  }

  get failed(): number {
    return this.wrong.length + this.hung.length;
  }

  get passed(): number {
    return this.sent - this.failed;
  }
}

export const sum = (counts: ReadonlyMap<string, number>): number =>
  [...counts.values()].reduce((total, count) => total + count, 0);

function increase(counts: Map<string, number>, key: string): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}
