import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describeStorage } from '../storage.contract.spec-helper.js';
import { LocalStorage } from './local.storage.js';

describeStorage('LocalStorage', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'local-storage-'));
  const storage = await LocalStorage.create({ directory, maxFileBytes: 4 * 1024 * 1024, minFreeBytes: 1 });
  return {
    storage,
    directory,
    elsewhere: 0,
    copies: () => Promise.resolve([]),
    stop: async () => {
      await storage.onApplicationShutdown();
      await rm(directory, { recursive: true });
    },
  };
});
