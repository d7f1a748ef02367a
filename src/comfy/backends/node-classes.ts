import { keepNewest, type NodeClass } from '../client/index.js';

/** Classes remembered; a large installation has a few thousand, a workflow a dozen. */
const MAX_KNOWN = 1_000;

/** Node classes of one ComfyUI, each asked for once: all of them together are megabytes. */
export class NodeClasses {
  private readonly known = new Map<string, Promise<NodeClass | undefined>>();

  constructor(private readonly ask: (name: string) => Promise<NodeClass | undefined>) {}

  /** It may be another server, or have other extensions. */
  forget(): void {
    this.known.clear();
  }

  /** @returns undefined: there is no such class @throws BackendError where it cannot be asked */
  find(name: string): Promise<NodeClass | undefined> {
    const known = this.known.get(name);
    if (known !== undefined) return known;
    const asking = this.ask(name).catch((error: unknown) => {
      if (this.known.get(name) === asking) this.known.delete(name);
      throw error;
    });
    this.known.set(name, asking);
    keepNewest(this.known, MAX_KNOWN);
    return asking;
  }
}
