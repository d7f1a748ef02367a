import type { Assets } from '../../assets/index.js';
import {
  FILES_ROUTE,
  type FileLinks,
  isKey,
  type LinkQuery,
  openFile,
  type OpenFile,
  OUTPUT_ROUTE,
  statFile,
  type Storage,
  StorageError,
} from '../../storage/index.js';

/** A file of this server: an asset, or one that is in storage and no asset any more. */
export type OwnFile = { asset: string } | { key: string };

/** Why a file of ours cannot be had; the message is the rest of a sentence that begins with the input. */
export class OwnFileError extends Error {
  override readonly name = 'OwnFileError';
}

/** How a text names a file of ours. */
type Reference = { absolute: boolean } & (
  | { by: 'id'; id: string; bare: boolean }
  | { by: 'route'; key: string }
  | { by: 'link'; key: string; query: LinkQuery }
  | { by: 'bucket'; key: string; url: string }
);

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
const ASSET_PATH = /\/api\/v2\/assets\/([^/]+)(?:\/content)?$/;

/** Longer than any URL of ours. */
const MAX_LENGTH = 4_096;

/**
 * Files of this server that a workflow names as replies do: by `url`, whole or from the path on, by `filename`, or by `asset_id`. They
 * are read from storage, never fetched from ourselves, and only where their URL would hand them out to the same caller.
 */
export class OwnFiles {
  constructor(
    private readonly storage: Storage,
    private readonly links: Pick<FileLinks, 'verify'>,
    private readonly assets: Pick<Assets, 'find' | 'findByFile'>,
  ) {}

  /** Does a text look like the name of a file of ours? Whether there is one says `find`. */
  isReference(value: string): boolean {
    return parse(value) !== undefined;
  }

  /**
   * @returns undefined where it is none of ours: a name in ComfyUI's folder, or a URL of another server
   * @throws OwnFileError where it is ours and cannot be had; StorageError; StateError
   */
  async find(value: string): Promise<OwnFile | undefined> {
    const reference = parse(value);
    if (reference === undefined) return undefined;
    if (reference.by === 'id') {
      const asset = this.assets.find(reference.id);
      if (asset !== undefined) return { asset: asset.id };
      // Anybody may call a file or a server's path so.
      if (reference.bare || reference.absolute) return undefined;
      throw new OwnFileError('names an asset that is not there (any more)');
    }
    const file = await this.locate(reference.key);
    // Another server of this kind has such names as well.
    if (file === undefined && reference.absolute) return undefined;
    if (file === undefined)
      throw new OwnFileError('names a file of this server that is not there (any more)');
    return (await this.mayRead(reference)) ? file : undefined;
  }

  /** The bytes of a file that is no asset. @throws StorageError */
  open(key: string): Promise<OpenFile> {
    return openFile(this.storage, key);
  }

  private async locate(key: string): Promise<OwnFile | undefined> {
    const asset = this.assets.findByFile(key);
    if (asset !== undefined) return { asset: asset.id };
    try {
      await statFile(this.storage, key);
      return { key };
    } catch (error) {
      if (error instanceof StorageError && error.code === 'file_not_found') return undefined;
      throw error;
    }
  }

  /** False: the bucket decides, which has signed the URL. @throws OwnFileError where the URL does not hand out the file */
  private async mayRead(reference: Exclude<Reference, { by: 'id' }>): Promise<boolean> {
    if (reference.by === 'link') {
      const { kind } = this.links.verify(reference.key, reference.query);
      if (kind === 'valid') return true;
      throw new OwnFileError(
        kind === 'expired'
          ? 'is a link of this server that has expired'
          : 'is a link of this server whose signature is missing or wrong: give the whole url',
      );
    }
    const { url, expiresAt } = await this.storage.link({ key: reference.key });
    if (reference.by === 'bucket') return expiresAt === null && url === reference.url;
    if (expiresAt === null) return true;
    throw new OwnFileError(
      'names a file that this server hands out by signed links only: give its whole url',
    );
  }
}

function parse(value: string): Reference | undefined {
  const text = value.trim();
  if (text === '' || text.length > MAX_LENGTH) return undefined;
  if (UUID.test(text)) return { by: 'id', id: text, bare: true, absolute: false };
  if (isKey(text)) return { by: 'route', key: text, absolute: false };
  const absolute = /^https?:\/\//i.test(text);
  const local = absolute ? text : `http://local/${text.replace(/^\/+/, '')}`;
  if (!URL.canParse(local) || (!absolute && /[\\\s]/.test(text))) return undefined;
  const { pathname, search, href } = new URL(local);
  const id = ASSET_PATH.exec(pathname)?.[1];
  if (id !== undefined && UUID.test(id)) return { by: 'id', id, bare: false, absolute };
  const key = pathname.split('/').at(-1) ?? '';
  if (!isKey(key)) return undefined;
  // A proxy may have put a path before ours.
  if (pathname.endsWith(`${OUTPUT_ROUTE}/${key}`)) return { by: 'route', key, absolute };
  if (pathname.endsWith(`${FILES_ROUTE}/${key}`)) {
    const query = Object.fromEntries(new URLSearchParams(search)) as LinkQuery;
    return { by: 'link', key, query, absolute };
  }
  return absolute ? { by: 'bucket', key, url: href.split(/[?#]/)[0] ?? href, absolute } : undefined;
}
