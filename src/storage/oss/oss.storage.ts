import type { FileLinks } from '../links/file-links.js';
import type { LocalStorage } from '../local/local.storage.js';
import type { OssOptions } from '../storage.options.js';
import type { Storage } from '../storage.port.js';

export interface OssParts {
  local: LocalStorage;
  links: FileLinks;
  linkTtlSeconds: number;
}

/** Being written: see the next commits. */
export class OssStorage {
  static create(_options: OssOptions, { local }: OssParts): Promise<Storage> {
    return Promise.resolve(local);
  }
}
