import { readFileSync } from 'node:fs';
import { parseEnv } from 'node:util';

/**
 * The settings as the server reads them: the environment, and below it `.env` in the working directory.
 * An empty value counts as not set.
 * @returns {Record<string, string>}
 */
export function readEnvironment() {
  const all = { ...readEnvFile(), ...process.env };
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value?.trim()));
}

function readEnvFile() {
  try {
    return parseEnv(readFileSync('.env', 'utf8'));
  } catch {
    return {}; // Usually there is none in a container. If it cannot be read, the server says so.
  }
}
