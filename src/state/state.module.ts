import { Global, Module, type OnApplicationShutdown } from '@nestjs/common';
import { StateDatabase } from './state-database.js';
import { ConfigurableModuleClass, STATE_OPTIONS, type StateOptions } from './state.module-definition.js';

/** What is remembered of jobs, assets and keys: `StateModule.forRoot(options)` or `forRootAsync`. Global, as there is one. */
@Global()
@Module({
  providers: [
    {
      provide: StateDatabase,
      inject: [STATE_OPTIONS],
      useFactory: ({ directory }: StateOptions) => StateDatabase.open(directory),
    },
  ],
  exports: [StateDatabase],
})
export class StateModule extends ConfigurableModuleClass implements OnApplicationShutdown {
  constructor(private readonly database: StateDatabase) {
    super();
  }

  onApplicationShutdown(): void {
    this.database.close();
  }
}
