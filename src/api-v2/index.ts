export { ApiV2Module } from './api-v2.module.js';
export { UPLOAD_PATH } from './assets.controller.js';
