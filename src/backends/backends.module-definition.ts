import { ConfigurableModuleBuilder } from '@nestjs/common';

export interface BackendsOptions {
  /** What operators have to send; absent: nothing. */
  adminToken?: string | undefined;
}

export const { ConfigurableModuleClass, MODULE_OPTIONS_TOKEN: BACKENDS_OPTIONS } =
  new ConfigurableModuleBuilder<BackendsOptions>().setClassMethodName('forRoot').build();
