export { FormTextWatch } from './form-text-watch.js';
export { readForm } from './read-form.js';
export { UploadEngine, type UploadedFile } from './upload.engine.js';
export { UploadModule } from './upload.module.js';
