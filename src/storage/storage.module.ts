import { Global, Module } from '@nestjs/common';
import { createStorage } from './create-storage.js';
import { FileLinks } from './links/file-links.js';
import { keepLinkSecret } from './links/link-secret-file.js';
import { LocalStorage } from './local/local.storage.js';
import { ConfigurableModuleClass, STORAGE_OPTIONS } from './storage.module-definition.js';
import { type StorageOptions, THIRTY_DAYS_S } from './storage.options.js';
import { Storage } from './storage.port.js';

const MIB = 1024 * 1024;

/**
 * Where finished files live: `StorageModule.forRoot(options)` or `forRootAsync({ useFactory, inject })`. Global, because
 * the engine and most faces need the same one.
 */
@Global()
@Module({
  providers: [
    {
      provide: LocalStorage,
      inject: [STORAGE_OPTIONS],
      useFactory: ({ directory, publicBaseUrl, maxFileBytes, minFreeBytes }: StorageOptions) =>
        LocalStorage.create({
          directory,
          publicBaseUrl,
          maxFileBytes: maxFileBytes ?? 2_048 * MIB,
          minFreeBytes: minFreeBytes ?? 64 * MIB,
        }),
    },
    {
      provide: FileLinks,
      // The folder has to be ready before a secret is kept in it.
      inject: [STORAGE_OPTIONS, LocalStorage],
      useFactory: async ({ directory, publicBaseUrl, linkSecrets, linkTtlSeconds }: StorageOptions) =>
        new FileLinks({
          secrets: linkSecrets ?? [await keepLinkSecret(directory)],
          publicBaseUrl,
          ttlSeconds: linkTtlSeconds ?? THIRTY_DAYS_S,
        }),
    },
    { provide: Storage, inject: [STORAGE_OPTIONS, LocalStorage, FileLinks], useFactory: createStorage },
  ],
  exports: [Storage, FileLinks, STORAGE_OPTIONS],
})
export class StorageModule extends ConfigurableModuleClass {}
