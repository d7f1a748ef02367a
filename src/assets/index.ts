export { type Asset, AssetError, type NewAsset } from './asset.types.js';
export { Assets, type NewAssetDetails, type ReceivedFile } from './assets.js';
export { AssetsModule } from './assets.module.js';
export type { AssetsOptions } from './assets.module-definition.js';
export { HASH_PATTERN, HashingStream } from './blake3.js';
