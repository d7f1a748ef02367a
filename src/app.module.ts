import { type BeforeApplicationShutdown, type DynamicModule, Module } from '@nestjs/common';
import { ConfigModule, ConfigService } from '@nestjs/config';
import { HttpAdapterHost } from '@nestjs/core';
import type { Server } from 'node:http';
import { AdminModule } from './admin/index.js';
import { ApiV2Module } from './api-v2/index.js';
import { AssetsModule } from './assets/index.js';
import { BackendsModule } from './backends/index.js';
import { ComfyModule } from './comfy/index.js';
import type { Settings } from './config/index.js';
import { FilesModule } from './files/index.js';
import { GenerateModule } from './generate/index.js';
import { HealthModule } from './health/index.js';
import { ImagesModule } from './images/index.js';
import { OutboundModule } from './outbound/index.js';
import { listening, ownServersOf } from './own-servers.js';
import { ProgressModule } from './progress/index.js';
import { StateModule } from './state/index.js';
import { StorageModule } from './storage/index.js';
import { WebhooksModule } from './webhooks/index.js';

type Config = ConfigService<Settings, true>;

/** Which rooms there are. */
@Module({})
export class AppModule implements BeforeApplicationShutdown {
  constructor(private readonly host: HttpAdapterHost) {}

  /** Nobody comes again: a connection that is kept for the next request would keep the process. */
  beforeApplicationShutdown(): void {
    (this.host.httpAdapter.getHttpServer() as Server).keepAliveTimeout = 1;
  }

  static forRoot(settings: Settings): DynamicModule {
    const own = ownServersOf(settings);
    return {
      module: AppModule,
      imports: [
        ConfigModule.forRoot({
          isGlobal: true,
          ignoreEnvFile: true,
          skipProcessEnv: true,
          load: [() => settings],
        }),
        StateModule.forRootAsync({
          inject: [ConfigService],
          useFactory: (config: Config) => config.get('state', { infer: true }),
        }),
        OutboundModule.forRootAsync({
          inject: [HttpAdapterHost],
          useFactory: (host: HttpAdapterHost) => ({
            ...settings.outbound,
            ownServers: () => [...own, ...listening(host.httpAdapter.getHttpServer() as Server)],
          }),
        }),
        StorageModule.forRootAsync({
          inject: [ConfigService],
          useFactory: (config: Config) => ({
            ...config.get('storage', { infer: true }),
            publicBaseUrl: config.get('server.baseUrl', { infer: true }),
          }),
        }),
        ImagesModule.forRootAsync({
          inject: [ConfigService],
          useFactory: (config: Config) => config.get('images', { infer: true }),
        }),
        ComfyModule.forRootAsync({
          inject: [ConfigService],
          useFactory: (config: Config) => ({
            ...config.get('comfy', { infer: true }),
            retentionMs: config.get('assets.retentionMs', { infer: true }),
          }),
        }),
        GenerateModule.forRootAsync({
          inject: [ConfigService],
          useFactory: (config: Config) => ({
            ...config.get('generate', { infer: true }),
            maxBodyBytes: config.get('server.maxBodyBytes', { infer: true }),
            baseUrl: config.get('server.baseUrl', { infer: true }),
          }),
        }),
        AdminModule.forRootAsync({
          inject: [ConfigService],
          useFactory: (config: Config) => ({ adminToken: config.get('adminToken', { infer: true }) }),
        }),
        BackendsModule,
        // Behind the engine, whose jobs it watches from the start.
        WebhooksModule.forRootAsync({
          inject: [ConfigService],
          useFactory: (config: Config) => ({
            ...config.get('webhooks', { infer: true }),
            baseUrl: config.get('server.baseUrl', { infer: true }),
            retentionMs: config.get('assets.retentionMs', { infer: true }),
            shutdownGraceMs: config.get('comfy.shutdownGraceMs', { infer: true }),
          }),
        }),
        AssetsModule.forRootAsync({
          inject: [ConfigService],
          useFactory: (config: Config) => config.get('assets', { infer: true }),
        }),
        ApiV2Module.forRootAsync({
          inject: [ConfigService],
          useFactory: (config: Config) => ({
            ...config.get('assets', { infer: true }),
            baseUrl: config.get('server.baseUrl', { infer: true }),
          }),
        }),
        FilesModule,
        ProgressModule,
        HealthModule,
      ],
    };
  }
}
