import { ConfigurableModuleBuilder } from '@nestjs/common';

export interface ApiV2Options {
  /** Where callers reach this server, without a trailing slash; absent: links are relative, or told from the request. */
  baseUrl?: string | undefined;
  /** Milliseconds that jobs and assets are kept; absent: for ever. */
  retentionMs?: number | undefined;
}

export const { ConfigurableModuleClass, MODULE_OPTIONS_TOKEN: API_V2_OPTIONS } =
  new ConfigurableModuleBuilder<ApiV2Options>().setClassMethodName('forRoot').build();
