import { firstValueFrom, forkJoin, from, of, timeout } from 'rxjs';
import type { NodeClass } from '../client/index.js';

/** Milliseconds that a submission waits for what a ComfyUI says of its node classes; then only the well-known ones count. */
const ASK_MS = 3_000;

/** Classes that one submission asks a ComfyUI about; a workflow has a dozen that are not well known. */
export const MAX_ASKED = 64;

/** Asks a ComfyUI about node classes, all at once, for a moment only. */
export class ClassInfo {
  constructor(private readonly backends: { nodeClass(name: string): Promise<NodeClass | undefined> }) {}

  /** What is known of the classes; of those beyond {@link MAX_ASKED}, and of all where nobody answers in time, nothing is. */
  async of(names: Iterable<string>): Promise<ReadonlyMap<string, NodeClass>> {
    const asked = [...new Set(names)].slice(0, MAX_ASKED);
    const answers = forkJoin(asked.map((name) => from(this.backends.nodeClass(name))));
    const silent = () => of(asked.map(() => undefined));
    const found = await firstValueFrom(answers.pipe(timeout({ first: ASK_MS, with: silent })), {
      defaultValue: [],
    });
    return new Map(
      asked.flatMap((name, index) => {
        const known = found[index];
        return known === undefined ? [] : [[name, known] as const];
      }),
    );
  }
}
