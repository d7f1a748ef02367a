import { asRecord, type ComfyClient } from '../client/index.js';

/** Which kinds of nodes one ComfyUI has; asked once for each while it is connected. */
export class KnownNodes {
  private readonly answers = new Map<string, Promise<boolean>>();

  constructor(private readonly client: Pick<ComfyClient, 'objectInfo'>) {}

  /** It may be another one, or have other extensions. */
  forget(): void {
    this.answers.clear();
  }

  /** @throws BackendError where it does not answer; it is asked again then */
  async has(className: string): Promise<boolean> {
    const known = this.answers.get(className) ?? this.ask(className);
    this.answers.set(className, known);
    try {
      return await known;
    } catch (error) {
      if (this.answers.get(className) === known) this.answers.delete(className);
      throw error;
    }
  }

  private async ask(className: string): Promise<boolean> {
    const info = asRecord(await this.client.objectInfo(className));
    return info !== undefined && Object.hasOwn(info, className);
  }
}
