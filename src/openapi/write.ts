import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { NestFactory } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { AppModule } from '../app.module.js';
import { readSettings } from '../config/index.js';
import { buildOpenApi } from './openapi.js';

/** Writes the OpenAPI document to the file named on the command line, without serving anything. */
const [target] = process.argv.slice(2);
if (target === undefined) throw new Error('Say where to write: node dist/openapi/write.js openapi.json');
const folder = mkdtempSync(join(tmpdir(), 'openapi-'));
const settings = readSettings({ ENABLE_OSS: 'false', OUTPUT_DIR: folder });
const app = await NestFactory.create<NestExpressApplication>(AppModule.forRoot(settings), {
  logger: ['error'],
});
writeFileSync(target, `${JSON.stringify(buildOpenApi(app), null, 2)}\n`);
await app.close();
rmSync(folder, { recursive: true });
