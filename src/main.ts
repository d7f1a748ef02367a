import { firstSignal } from './first-signal.js';

// Before the rest is loaded, which takes a second: the first process of a container never gets a signal that it has no handler for.
const stop = firstSignal('SIGTERM', 'SIGINT');

try {
  const { loadSettings } = await import('./config/index.js');
  const settings = loadSettings();
  const { createApp } = await import('./app.setup.js');
  const app = await createApp(settings);
  const { unusablePort } = await import('./config/index.js');
  const { host, port } = settings.server;
  const listening = app.listen(port, host).catch((error: unknown) => {
    throw unusablePort(host, port, error);
  });
  // Closing releases everything, and the process ends by itself with 0; a second signal ends it at once.
  // Nest's own shutdown hooks would end it by the signal, which orchestrators count as a failure.
  void stop
    // What is half open cannot be closed; if opening fails, the process ends anyway.
    .then(() => listening)
    .then(
      () => app.close(),
      () => undefined,
    );
  await listening;
  const { Logger } = await import('@nestjs/common');
  new Logger('Server').log(`Listening on ${await app.getUrl()}; the API is described at /docs`);
} catch (error) {
  const { StartError } = await import('./config/index.js');
  console.error(error instanceof StartError ? error.message : error);
  process.exit(1);
}
