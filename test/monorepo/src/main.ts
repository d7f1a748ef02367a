import type { INestApplication } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { AppModule } from './app.module.js';
import type { PosterSettings } from './poster-settings.js';

/** One application for each set of settings in `APPS`, all in this process. Each SIGTERM closes the next of them. */
const apps: INestApplication[] = [];
for (const settings of JSON.parse(process.env['APPS'] ?? '[]') as (PosterSettings & { port: number })[]) {
  const app = await NestFactory.create(AppModule.of(settings), { logger: ['error', 'warn'] });
  await app.listen(settings.port, '127.0.0.1');
  apps.push(app);
}
process.on('SIGTERM', () => void apps.shift()?.close());
console.log('ready');
