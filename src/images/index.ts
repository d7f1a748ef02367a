export { type ConvertOptions, TARGET_FORMATS, type TargetFormat } from './convert-options.js';
export { ImageError, type ImageErrorCode } from './image.error.js';
export { type ConvertedImage, Images } from './images.js';
export { ImagesModule } from './images.module.js';
export type { ImagesOptions } from './images.module-definition.js';
export { stripped } from './strip/stripped.js';
export type { ImageInfo } from './tasks.js';
export type { ImageSource } from './work-folder.js';
