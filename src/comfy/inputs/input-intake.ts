import type { Assets, ReceivedFile } from '../../assets/index.js';
import type { Outbound } from '../../outbound/index.js';
import type { NodeInput } from '../comfy.error.js';
import {
  assetReferences,
  type MediaInput,
  type MediaKind,
  referenceTo,
  withInput,
  type Workflow,
} from '../workflow/index.js';
import { asInputError, invalidInput } from './input.error.js';
import { decodeInline } from './inline-data.js';
import { type EmbeddedInput, MediaFinder } from './media-finder.js';
import { typeMismatch } from './media-type.js';

/** A file that came beside a workflow, for one of its inputs. */
export interface FormFile extends NodeInput {
  received: ReceivedFile;
}

/** A workflow whose files are where jobs find them. */
export interface TakenIn {
  /** Bytes that were in it, or came beside it, are assets now, and it names them. */
  workflow: Workflow;
  /** What is to be brought to a ComfyUI before it runs. */
  media: readonly MediaInput[];
  /** Takes back the assets that were made: no job will name them. Never throws. */
  dismiss: () => Promise<void>;
}

/** Takes in the files that come with a workflow, so that it holds none when it becomes a job. */
export class InputIntake {
  constructor(
    private readonly finder: MediaFinder,
    private readonly assets: Assets,
    private readonly outbound: Pick<Outbound, 'check'>,
  ) {}

  /**
   * Nothing of it stays where it fails, the files beside it included.
   * @throws ComfyError `invalid_input`, naming the input; StorageError; StateError
   */
  async takeIn(workflow: Workflow, files: readonly FormFile[] = []): Promise<TakenIn> {
    const made: string[] = [];
    const waiting = new Set(files);
    const dismiss = async (): Promise<void> => {
      const gone = [...waiting].map(({ received }) => this.assets.dismiss(received));
      await Promise.allSettled([...gone, ...made.map((id) => this.assets.remove(id))]);
    };
    try {
      const media: MediaInput[] = [];
      let changed = workflow;
      const keep = async (received: ReceivedFile, at: NodeInput, kind: MediaKind | undefined) => {
        const id = await this.adopt(received, at, kind);
        made.push(id);
        changed = withInput(changed, at, referenceTo(id));
      };
      for (const { value, form, node, input, kind } of await this.finder.embedded(workflow)) {
        const at = { node, input };
        if (form === 'url') media.push({ ...at, kind, url: this.checked(value, at) });
        else await keep(await this.receive(value, at), at, kind);
      }
      for (const file of files) {
        const { node, input, received } = file;
        const kind = await this.kindOf(changed, file);
        waiting.delete(file);
        await keep(received, { node, input }, kind);
      }
      for (const { id: asset, node, input } of assetReferences(changed)) {
        const kind = await this.kindOf(changed, { node, input });
        if (asset !== undefined) media.push({ node, input, kind, asset });
      }
      return { workflow: changed, media, dismiss };
    } catch (error) {
      await dismiss();
      throw error;
    }
  }

  /** Nobody wants these. Never throws. */
  async dismiss(files: readonly FormFile[] = []): Promise<void> {
    await Promise.all(files.map(({ received }) => this.assets.dismiss(received)));
  }

  private checked(url: string, at: NodeInput): string {
    try {
      this.outbound.check(url);
      return url;
    } catch (error) {
      throw asInputError(error, at);
    }
  }

  /** @throws ComfyError `invalid_input` where there is no such node */
  private async kindOf(workflow: Workflow, { node, input }: NodeInput): Promise<MediaKind | undefined> {
    const found = Object.hasOwn(workflow, node) ? workflow[node] : undefined;
    if (found === undefined) throw invalidInput({ node, input }, 'is of no node of the workflow');
    return this.finder.kindOf(found.class_type, input);
  }

  private async receive(value: EmbeddedInput['value'], at: NodeInput): Promise<ReceivedFile> {
    try {
      return await this.assets.receive(decodeInline(value), '');
    } catch (error) {
      throw asInputError(error, at);
    }
  }

  /** @returns the id of the asset */
  private async adopt(received: ReceivedFile, at: NodeInput, kind: MediaKind | undefined): Promise<string> {
    const mismatch = typeMismatch(kind, received.file.contentType);
    if (mismatch !== undefined) {
      await this.assets.dismiss(received);
      throw invalidInput(at, mismatch);
    }
    const { asset } = await this.assets.adopt(received, { path: null });
    return asset.id;
  }
}
