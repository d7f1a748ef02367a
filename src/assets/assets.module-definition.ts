import { ConfigurableModuleBuilder } from '@nestjs/common';

export interface AssetsOptions {
  /** Largest upload, in bytes. @default 1 GiB */
  maxUploadBytes?: number | undefined;
  /** Milliseconds that assets are kept where the state is; absent: for ever. */
  retentionMs?: number | undefined;
}

export const { ConfigurableModuleClass, MODULE_OPTIONS_TOKEN: ASSETS_OPTIONS } =
  new ConfigurableModuleBuilder<AssetsOptions>().setClassMethodName('forRoot').build();
