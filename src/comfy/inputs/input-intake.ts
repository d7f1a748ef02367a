import { setImmediate as immediate } from 'node:timers/promises';
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
import type { OwnFile, OwnFiles } from './own-files.js';
import type { PathGuard } from './path-guard.js';
import type { DrawnSeed, SeedDrawer } from './seed-drawer.js';
import { typeMismatch } from './media-type.js';

/** Inputs of one workflow that name a file by its URL. */
const MAX_URLS = 64;

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
  /** Seeds that were drawn where it left one open. */
  seeds: readonly DrawnSeed[];
  /** Takes back the assets that were made: no job will name them. Never throws. */
  dismiss: () => Promise<void>;
}

/** Takes in the files that come with a workflow, so that it holds none when it becomes a job. */
export class InputIntake {
  constructor(
    private readonly finder: MediaFinder,
    private readonly assets: Assets,
    private readonly outbound: Pick<Outbound, 'check'>,
    private readonly own: OwnFiles,
    private readonly seeds: Pick<SeedDrawer, 'draw'>,
    /** Undefined: every path is passed on. */
    private readonly guard: Pick<PathGuard, 'check'> | undefined,
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
      // Before the values: a file stands for whatever its input holds.
      const kindOfFile = await this.finder.kinds(files.map((file) => aboutInput(workflow, file)));
      for (const file of files) {
        const { classType, input } = aboutInput(workflow, file);
        waiting.delete(file);
        await keep(file.received, placeOf(file), kindOfFile(classType, input));
      }
      await this.guard?.check(changed);
      for (const { value, kind, ...at } of await this.finder.named(changed, (text) =>
        this.own.isReference(text),
      )) {
        const file = await this.ownFile(value, at);
        if (file === undefined) continue;
        if ('asset' in file) changed = withInput(changed, at, referenceTo(file.asset));
        else await keep(await this.copy(file.key, at), at, kind);
      }
      const embedded = await this.finder.embedded(changed);
      expectFew(embedded.filter(({ form }) => form === 'url'));
      for (const { value, form, kind, ...at } of embedded) {
        if (form === 'url') media.push({ ...at, kind, url: this.checked(value, at) });
        else await keep(await this.receive(value, at), at, kind);
      }
      const references = assetReferences(changed);
      const kindOf = await this.finder.kinds(references.map((reference) => aboutInput(changed, reference)));
      for (const reference of references) {
        const { classType, input } = aboutInput(changed, reference);
        const { id: asset } = reference;
        if (asset !== undefined) media.push({ ...placeOf(reference), kind: kindOf(classType, input), asset });
      }
      // Others get their turn: see `ComfyService.submit`.
      await immediate();
      const drawn = await this.seeds.draw(changed);
      return { workflow: drawn.workflow, media, seeds: drawn.seeds, dismiss };
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

  private async receive(value: EmbeddedInput['value'], at: NodeInput): Promise<ReceivedFile> {
    try {
      return await this.assets.receive(decodeInline(value), '');
    } catch (error) {
      throw asInputError(error, at);
    }
  }

  private async ownFile(value: string, at: NodeInput): Promise<OwnFile | undefined> {
    try {
      return await this.own.find(value);
    } catch (error) {
      throw asInputError(error, at);
    }
  }

  /** A file of ours that no asset names any more: it stays its caller's, and the job gets one of its own. */
  private async copy(key: string, at: NodeInput): Promise<ReceivedFile> {
    try {
      return await this.assets.receive((await this.own.open(key)).stream, key);
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

function placeOf({ node, input }: NodeInput): NodeInput {
  return { node, input };
}

/** @throws ComfyError `invalid_input` where there is no such node */
function aboutInput(workflow: Workflow, { node, input }: NodeInput): { classType: string; input: string } {
  const found = Object.hasOwn(workflow, node) ? workflow[node] : undefined;
  if (found === undefined) throw invalidInput({ node, input }, 'is of no node of the workflow');
  return { classType: found.class_type, input };
}

/** Each of them is fetched, and lies on a disk until the job has ended. @throws ComfyError `invalid_input` */
function expectFew(urls: readonly NodeInput[]): void {
  const one = urls[MAX_URLS];
  if (one === undefined) return;
  throw invalidInput(
    placeOf(one),
    `is one of ${urls.length} inputs with a URL; a workflow may have ${MAX_URLS}`,
  );
}
