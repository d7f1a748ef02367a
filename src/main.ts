import { Logger } from '@nestjs/common';
import { createApp } from './app.setup.js';
import { loadSettings, SettingsError } from './config/index.js';

try {
  const settings = loadSettings();
  const app = await createApp(settings);
  await app.listen(settings.server.port, settings.server.host);
  new Logger('Server').log(`Listening on ${await app.getUrl()}; the API is described at /docs`);
  // Closing lets go of everything, and the process ends by itself with 0; a second signal ends it at once.
  // Nest's own shutdown hooks would end it by the signal, which orchestrators count as a failure.
  const signals = ['SIGTERM', 'SIGINT'] as const;
  const stop = () => {
    for (const signal of signals) process.removeListener(signal, stop);
    void app.close();
  };
  for (const signal of signals) process.on(signal, stop);
} catch (error) {
  console.error(error instanceof SettingsError ? error.message : error);
  process.exit(1);
}
