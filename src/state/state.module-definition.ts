import { ConfigurableModuleBuilder } from '@nestjs/common';

export interface StateOptions {
  /** Folder of the database. Absent: what is remembered is lost when the process ends. */
  directory?: string | undefined;
}

export const { ConfigurableModuleClass, MODULE_OPTIONS_TOKEN: STATE_OPTIONS } =
  new ConfigurableModuleBuilder<StateOptions>().setClassMethodName('forRoot').build();
