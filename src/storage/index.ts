export { openFile, statFile } from './anywhere.js';
export { type BucketFiles, hasBucket } from './bucket.port.js';
export { FileLinks, type LinkQuery, type LinkVerdict } from './links/file-links.js';
export { etagOf, isKey } from './naming/file-key.js';
export { contentTypeOf, type MediaType, sniffMediaType, SNIFFED_BYTES } from './naming/media-type.js';
export { FILES_ROUTE, OUTPUT_ROUTE } from './routes.js';
export { StorageError, type StorageErrorCode, type StorageErrorReason } from './storage.error.js';
export { StorageModule } from './storage.module.js';
export { STORAGE_OPTIONS } from './storage.module-definition.js';
export type { LinkSecret, OssOptions, OssUrlMode, StorageOptions } from './storage.options.js';
export {
  type ByteRange,
  type FileBody,
  type FileKind,
  type FileLink,
  type FileStat,
  type FileToStore,
  type OpenFile,
  Storage,
  type StorageHealth,
  type StoredFile,
} from './storage.port.js';
