import { ConfigurableModuleBuilder } from '@nestjs/common';

export interface AdminOptions {
  /** What operators have to send; absent: nothing. */
  adminToken?: string | undefined;
}

export const { ConfigurableModuleClass, MODULE_OPTIONS_TOKEN: ADMIN_OPTIONS } =
  new ConfigurableModuleBuilder<AdminOptions>().setClassMethodName('forRoot').build();
