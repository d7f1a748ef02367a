import { createApp } from './app.setup.js';
import { loadSettings, SettingsError } from './config/index.js';

try {
  const settings = loadSettings();
  const app = await createApp(settings);
  await app.listen(settings.server.port, settings.server.host);
} catch (error) {
  console.error(error instanceof SettingsError ? error.message : error);
  process.exit(1);
}
