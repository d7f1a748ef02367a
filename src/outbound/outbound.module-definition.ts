import { ConfigurableModuleBuilder } from '@nestjs/common';
import type { OutboundRules } from './outbound.js';

export const { ConfigurableModuleClass, MODULE_OPTIONS_TOKEN: OUTBOUND_RULES } =
  new ConfigurableModuleBuilder<OutboundRules>().setClassMethodName('forRoot').build();
