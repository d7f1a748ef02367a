import { Module } from '@nestjs/common';
import { Idempotency } from './idempotency.js';

/** Needs `ComfyService` and `StateDatabase` in reach. */
@Module({ providers: [Idempotency], exports: [Idempotency] })
export class IdempotencyModule {}
