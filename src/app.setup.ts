import { isatty } from 'node:tty';
import type { LogLevel } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';
import type { Express } from 'express';
import { UPLOAD_PATH } from './api-v2/index.js';
import { AppModule } from './app.module.js';
import { connectionLimits, guardServer, type TrustsProxy } from './connection/index.js';
import { type Settings, temporaryFolderWarning } from './config/index.js';
import { GENERATE_PATHS } from './generate/index.js';
import { SafeLogger } from './logging/index.js';
import { serveOpenApi } from './openapi/index.js';
import { ProblemFilter } from './problem/index.js';
import { refuseExchange } from './refuse-exchange.js';
import { ProgressIoAdapter } from './progress/index.js';
import {
  KnownHosts,
  RequestPipe,
  useCors,
  useJsonBody,
  useKnownHosts,
  useNoStore,
  useOriginCheck,
} from './request/index.js';

const LEVELS: LogLevel[] = ['fatal', 'error', 'warn', 'log', 'debug', 'verbose'];

/** Longer than the idle time of the usual load balancers (60 s), so that it is they who close a connection. */
const KEEP_ALIVE_MS = 65_000;

/** Milliseconds until the last byte of a request has to be there: Node's five minutes are too little for a large upload. */
const REQUEST_MS = 3_600_000;

/** The application with all that every instance needs, main's and the tests' alike; not listening yet. */
export async function createApp(settings: Settings): Promise<NestExpressApplication> {
  const { level, format } = settings.log;
  const logger = new SafeLogger({
    logLevels: LEVELS.slice(0, LEVELS.indexOf(level) + 1),
    json: format === 'json',
    // Said either way: left open, Nest colours what goes into files and pipes. `hasColors` knows NO_COLOR.
    colors: format === 'text' && isatty(1) && process.stdout.hasColors(),
  });
  const app = await NestFactory.create<NestExpressApplication>(AppModule.forRoot(settings), {
    logger,
    bodyParser: false,
  });
  app.disable('x-powered-by');
  // A reply to a POST is never asked for again; files bring tags of their own.
  app.disable('etag');
  const { corsOrigins: origins, baseUrl, allowedHosts, trustProxy, maxBodyBytes } = settings.server;
  if (trustProxy.length > 0) app.set('trust proxy', trustProxy);
  const express: Express = app.getHttpAdapter().getInstance();
  const trusts = express.get('trust proxy fn') as TrustsProxy;
  const hosts = new KnownHosts(baseUrl, allowedHosts);
  useKnownHosts(app, hosts);
  useNoStore(app);
  // Before the body is read: a page that may not see the error would not learn that it was too large.
  useCors(app, origins);
  useOriginCheck(app, { origins, baseUrl });
  useJsonBody(app, maxBodyBytes, [UPLOAD_PATH, ...GENERATE_PATHS]);
  app.useGlobalPipes(new RequestPipe());
  app.useGlobalFilters(new ProblemFilter());
  const server = app.getHttpServer();
  server.keepAliveTimeout = KEEP_ALIVE_MS;
  server.requestTimeout = REQUEST_MS;
  guardServer(server, {
    limits: settings.server.connectionLimits ?? connectionLimits(maxBodyBytes),
    trusts,
    refuse: refuseExchange,
  });
  app.useWebSocketAdapter(new ProgressIoAdapter(app, { origins, baseUrl }, hosts, trusts));
  serveOpenApi(app);
  const temporary = await temporaryFolderWarning();
  for (const warning of [...settings.warnings, ...(temporary === undefined ? [] : [temporary])]) {
    logger.warn(warning, 'Settings');
  }
  return app;
}
