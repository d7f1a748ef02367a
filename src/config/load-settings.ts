import { readFileSync } from 'node:fs';
import { parseEnv } from 'node:util';
import { readSettings, type Settings } from './settings.js';

/**
 * The settings of this process: its environment, and below it a `.env` file in the working directory.
 * @throws SettingsError
 */
export function loadSettings(): Settings {
  return readSettings({ ...readEnvFile('.env'), ...process.env });
}

function readEnvFile(path: string): Record<string, string | undefined> {
  try {
    return parseEnv(readFileSync(path, 'utf8'));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return {};
    throw error;
  }
}
