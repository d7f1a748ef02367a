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
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => void app.close());
} catch (error) {
  console.error(error instanceof SettingsError ? error.message : error);
  process.exit(1);
}
