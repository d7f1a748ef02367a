import { Global, Module } from '@nestjs/common';
import { AdminGuard } from './admin.guard.js';
import { ADMIN_OPTIONS, ConfigurableModuleClass } from './admin.module-definition.js';

/** Who is an operator: `AdminModule.forRoot(options)` or `forRootAsync`. Global, as there is one token. */
@Global()
@Module({ providers: [AdminGuard], exports: [AdminGuard, ADMIN_OPTIONS] })
export class AdminModule extends ConfigurableModuleClass {}
