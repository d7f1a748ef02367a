import { Global, Module, type OnApplicationShutdown } from '@nestjs/common';
import { Outbound, type OutboundRules } from './outbound.js';
import { ConfigurableModuleClass, OUTBOUND_RULES } from './outbound.module-definition.js';
import { UndiciOutbound } from './undici-outbound.js';

/** Calls to URLs that callers name: `OutboundModule.forRoot(rules)` or `forRootAsync`. Global, as there is one. */
@Global()
@Module({
  providers: [
    {
      provide: Outbound,
      inject: [OUTBOUND_RULES],
      useFactory: (rules: OutboundRules) => new UndiciOutbound(rules),
    },
  ],
  exports: [Outbound],
})
export class OutboundModule extends ConfigurableModuleClass implements OnApplicationShutdown {
  constructor(private readonly outbound: Outbound) {
    super();
  }

  async onApplicationShutdown(): Promise<void> {
    await this.outbound.close();
  }
}
