import { ConfigurableModuleBuilder } from '@nestjs/common';

export interface GenerateOptions {
  /** Milliseconds that a call waits for its result before it answers `wait_timeout`. */
  waitLimitMs: number;
  /** Largest workflow in a form, in bytes. @default 32 MiB */
  maxBodyBytes?: number | undefined;
  /** Largest file that is answered within JSON, in bytes. @default 32 MiB */
  maxBase64Bytes?: number | undefined;
  /** Where callers reach this server, without a trailing slash; absent: relative URLs. */
  baseUrl?: string | undefined;
}

export const { ConfigurableModuleClass, MODULE_OPTIONS_TOKEN: GENERATE_OPTIONS } =
  new ConfigurableModuleBuilder<GenerateOptions>().setClassMethodName('forRoot').build();
