/**
 * The package by its name, for `npm run check`, which has to work before there is a build: what the application imports,
 * from the sources. The end-to-end test leaves this file out and compiles against `dist/*.d.ts`.
 */
declare module 'comfy-sync-server' {
  type Package = typeof import('../../src/index.js');
  export const ComfyError: Package['ComfyError'];
  export const ComfyModule: Package['ComfyModule'];
  export const ComfyService: Package['ComfyService'];
  export const FilesModule: Package['FilesModule'];
  export const isFinal: Package['isFinal'];
  export const parseComfyuiServer: Package['parseComfyuiServer'];
  export const StorageModule: Package['StorageModule'];
  export type ComfyOptions = import('../../src/index.js').ComfyOptions;
  export type ComfyService = import('../../src/index.js').ComfyService;
  export type StorageOptions = import('../../src/index.js').StorageOptions;
}
