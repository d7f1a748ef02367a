/**
 * The checkpoints that are on the GPU. A real ComfyUI unloads models when it needs their memory; no recording shows
 * it, since the recorded server had one checkpoint, so the rule here is the plainest one: a fixed number fits, and the
 * one that was not used for longest goes.
 *
 * Every node that computes with a model asks for it, not only its loader: a loader whose result is cached does not run,
 * but the sampler behind it does, and has to wait when the model was dropped meanwhile.
 */
export class ModelMemory {
  /** Least recently used first. */
  private readonly held = new Set<string>();
  private loaded = 0;

  constructor(
    /** Checkpoints that fit. */
    private readonly capacity: number,
    /** What it costs to load one, ms. */
    private readonly loadMs: number,
  ) {}

  /** How often a model had to be loaded, since the stand-in was made. */
  get loads(): number {
    return this.loaded;
  }

  /** Makes sure that the model is there, and counts as use. */
  async need(name: string, sleep: (ms: number) => Promise<void>): Promise<void> {
    if (!this.held.delete(name)) {
      this.loaded++;
      for (const oldest of this.held) {
        if (this.held.size < this.capacity) break;
        this.held.delete(oldest);
      }
      await sleep(this.loadMs);
    }
    this.held.add(name);
  }

  clear(): void {
    this.held.clear();
  }
}
