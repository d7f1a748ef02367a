import type { QueueRow } from '../types.js';

/** ComfyUI's queue is a Python heap, and `GET /queue` shows the heap as it lies in memory (22). */
export class PromptHeap {
  private rows: QueueRow[] = [];

  get size(): number {
    return this.rows.length;
  }

  list(): readonly QueueRow[] {
    return this.rows;
  }

  push(row: QueueRow): void {
    this.rows.push(row);
    this.rise(this.rows.length - 1);
  }

  pop(): QueueRow | undefined {
    const last = this.rows.pop();
    const [first] = this.rows;
    if (last === undefined || first === undefined) return last;
    this.rows[0] = last;
    this.sink(0);
    return first;
  }

  /** Removes the first row with this id; the rest is heapified again. */
  remove(promptId: string): boolean {
    const index = this.rows.findIndex((row) => row[1] === promptId);
    if (index < 0) return false;
    this.rows.splice(index, 1);
    for (let i = (this.rows.length >> 1) - 1; i >= 0; i--) this.sink(i);
    return true;
  }

  clear(): void {
    this.rows = [];
  }

  private rise(from: number): void {
    let at = from;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!this.before(at, parent)) return;
      this.swap(at, parent);
      at = parent;
    }
  }

  private sink(from: number): void {
    let at = from;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= this.rows.length) return;
      if (child + 1 < this.rows.length && this.before(child + 1, child)) child++;
      if (!this.before(child, at)) return;
      this.swap(at, child);
      at = child;
    }
  }

  /** Tuples compare by number, then by prompt id. */
  private before(a: number, b: number): boolean {
    const left = this.rows[a];
    const right = this.rows[b];
    if (left === undefined || right === undefined) return false;
    return left[0] === right[0] ? left[1] < right[1] : left[0] < right[0];
  }

  private swap(a: number, b: number): void {
    const left = this.rows[a];
    const right = this.rows[b];
    if (left === undefined || right === undefined) return;
    this.rows[a] = right;
    this.rows[b] = left;
  }
}
