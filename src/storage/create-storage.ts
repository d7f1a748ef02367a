import type { FileLinks } from './links/file-links.js';
import type { LocalStorage } from './local/local.storage.js';
import { type StorageOptions, THIRTY_DAYS_S } from './storage.options.js';
import type { Storage } from './storage.port.js';

/** The one place that picks the adapter. ali-oss (110 ms, 17 MB) is loaded only where there is a bucket. */
export async function createStorage(
  options: StorageOptions,
  local: LocalStorage,
  links: FileLinks,
): Promise<Storage> {
  if (options.oss === undefined) return local;
  const { OssStorage } = await import('./oss/oss.storage.js');
  return OssStorage.create(options.oss, {
    local,
    links,
    linkTtlSeconds: options.linkTtlSeconds ?? THIRTY_DAYS_S,
    retryForMs: options.retryMs ?? 60_000,
  });
}
