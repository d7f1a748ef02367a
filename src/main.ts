import { Logger } from '@nestjs/common';
import { createApp } from './app.setup.js';
import { loadSettings, SettingsError } from './config/index.js';

try {
  const settings = loadSettings();
  const app = await createApp(settings);
  const listening = app.listen(settings.server.port, settings.server.host);
  // Closing lets go of everything, and the process ends by itself with 0; a second signal ends it at once.
  // Nest's own shutdown hooks would end it by the signal, which orchestrators count as a failure.
  const signals = ['SIGTERM', 'SIGINT'] as const;
  const stop = () => {
    for (const signal of signals) process.removeListener(signal, stop);
    // What is half open could not be closed; where it does not open, the process ends anyway.
    void listening.then(
      () => app.close(),
      () => undefined,
    );
  };
  // Before anything begins: whoever is told to stop while starting has jobs of earlier times to let go of.
  for (const signal of signals) process.on(signal, stop);
  await listening;
  new Logger('Server').log(`Listening on ${await app.getUrl()}; the API is described at /docs`);
} catch (error) {
  console.error(error instanceof SettingsError ? error.message : error);
  process.exit(1);
}
