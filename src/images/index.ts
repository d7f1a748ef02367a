export type { CheckedImage } from './check-image.js';
export { ImageError, type ImageErrorCode } from './image.error.js';
export { Images } from './images.js';
export { ImagesModule } from './images.module.js';
export type { ImagesOptions } from './images.module-definition.js';
export type { ImageSource } from './work-folder.js';
