/** Jobs remembered; more than can be under way and tried again at once. */
const MAX_KNOWN = 10_000;

/** Jobs that were lost on the way. Each counts once: neither a second time when it is tried again, nor on another backend. */
export class LostJobs {
  private readonly known = new Set<string>();

  /** @returns whether it counts */
  add(job: string): boolean {
    if (this.known.has(job)) return false;
    this.known.add(job);
    if (this.known.size > MAX_KNOWN) for (const first of this.known) return this.known.delete(first);
    return true;
  }
}
