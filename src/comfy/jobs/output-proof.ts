import type { FileRef, ViewedFile } from '../client/index.js';
import { INPUT_SUBFOLDER } from '../backends/index.js';
import { isInJobFolder, type Workflow } from '../workflow/index.js';
import { OutputTrouble } from './output-trouble.js';

/**
 * Milliseconds by which a file's time of change may lie before the execution that wrote it: kernels stamp files with the time of their
 * last tick, up to 10 ms old.
 */
const CLOCK_TICK_MS = 10;

/** Names that core preview nodes choose at random and never overwrite: `ComfyUI_temp_abcde_00001_.png`. */
const PREVIEW_NAME = /_temp_[a-z]{5}_\d+_?\.\w+$/;

/** The try of a job whose files are to be told from those of others. */
export interface ProvenRun {
  job: string;
  attempt: number;
  workflow: Workflow;
}

/**
 * Tells the files of one try from those of everybody else. A name can be anybody's: save nodes of extensions overwrite fixed names, and
 * ComfyUI's cache names files that a later prompt has overwritten. So a file is the job's own where it is in the job's folder, or where
 * the server's own clock says that it was written while the prompt ran: ComfyUI runs one prompt at a time.
 */
export class OutputProof {
  private times: { start: number | undefined; end: number | undefined } = {
    start: undefined,
    end: undefined,
  };
  private literals: ReadonlySet<string> | undefined;

  constructor(private readonly run: ProvenRun) {}

  /** When the prompt ran, by the server's clock, in ms since the epoch; as far as it is known. */
  noteTimes(times: { start: number | undefined; end: number | undefined }): void {
    this.times = times;
  }

  /** Is a file this job's by its name alone? Input files are where the workflow names them, or we brought them. */
  isOwn({ filename, subfolder, type }: FileRef): boolean {
    if (type === 'input') {
      if (subfolder === INPUT_SUBFOLDER) return true;
      const path = subfolder === '' ? filename : `${subfolder.replaceAll('\\', '/')}/${filename}`;
      return this.names(path);
    }
    if (this.isPreview({ filename, type })) return true;
    return isInJobFolder(subfolder, this.run.job, this.run.attempt);
  }

  /** Can ComfyUI's cache have named the file, without that its node ran again? */
  isPreview({ filename, type }: Pick<FileRef, 'filename' | 'type'>): boolean {
    return type === 'temp' && PREVIEW_NAME.test(filename);
  }

  /**
   * Was the file written while the prompt ran? Only once that has ended.
   * @throws OutputTrouble `not_ours`
   */
  expectWrittenByRun({ etag, lastModified }: Pick<ViewedFile, 'etag' | 'lastModified'>): void {
    const { start, end } = this.times;
    const exact = changedAt(etag);
    if (start === undefined || end === undefined) throw notOurs('ComfyUI does not tell when the prompt ran');
    if (exact === undefined && lastModified === undefined)
      throw notOurs('neither ETag nor Last-Modified comes with it');
    const earliest = start - CLOCK_TICK_MS;
    // ComfyUI cuts its times to whole milliseconds. `Last-Modified` has whole seconds, which aiohttp rounds up.
    const [from, to] =
      exact === undefined ? [wholeSecond(earliest), wholeSecond(end) + 1_000] : [earliest, end + 1];
    const at = exact ?? lastModified ?? 0;
    if (at < from) throw notOurs('it was written before the prompt ran');
    if (at > to) throw notOurs('it was written after the prompt ran');
  }

  /** @throws OutputTrouble `not_ours` where the file has changed between two looks */
  expectUnchanged(before: SeenFile, after: SeenFile): void {
    if (before.etag !== after.etag || before.lastModified !== after.lastModified)
      throw notOurs('it was overwritten while it was fetched');
  }

  private names(path: string): boolean {
    this.literals ??= new Set(
      Object.values(this.run.workflow)
        .flatMap(({ inputs = {} }) => Object.values(inputs))
        .flatMap((value) => (typeof value === 'string' ? [value.replace(/ \[input\]$/, '')] : [])),
    );
    return this.literals.has(path);
  }
}

type SeenFile = Pick<ViewedFile, 'etag' | 'lastModified'>;

/** aiohttp's ETag is `<mtime in ns, hex>-<size, hex>` (35). @returns ms since the epoch; undefined for any other */
function changedAt(etag: string | undefined): number | undefined {
  const [, hex] = /^([0-9a-f]{12,16})-[0-9a-f]{1,14}$/.exec(etag ?? '') ?? [];
  return hex === undefined ? undefined : Number(BigInt(`0x${hex}`)) / 1e6;
}

function wholeSecond(ms: number): number {
  return Math.floor(ms / 1_000) * 1_000;
}

function notOurs(why: string): OutputTrouble {
  return new OutputTrouble(
    'not_ours',
    `It is not certain that this job made the file: ${why}. Save with SaveImage, or under a name that no other call uses.`,
  );
}
