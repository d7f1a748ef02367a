import { performance } from 'node:perf_hooks';
import { Pool } from 'undici';

/** Milliseconds between two probes, and what one that fails counts as. */
const EVERY_MS = 50;
const LIMIT_MS = 5_000;

const url = process.argv[2] ?? '';
const pool = new Pool(url, { connections: 1, keepAliveTimeout: 60_000, headersTimeout: LIMIT_MS });

/**
 * Probes wait for each other on one connection, and the time of each counts from when it was due: a server that stands
 * still for a second has kept twenty of them waiting, not one.
 */
async function probe(): Promise<void> {
  const due = performance.now();
  let took = LIMIT_MS;
  try {
    const { statusCode, body } = await pool.request({ method: 'GET', path: '/health/live' });
    await body.dump();
    if (statusCode === 200) took = performance.now() - due;
  } catch {
    // It is as bad as the limit.
  }
  if (process.connected) process.send?.(took);
}

const timer = setInterval(() => void probe(), EVERY_MS);
const end = () => {
  clearInterval(timer);
  void pool.destroy().then(() => process.exit(0));
};
process.once('SIGTERM', end);
// Whoever started us is gone.
process.once('disconnect', end);
// Ctrl+C reaches the whole group; our parent ends us.
process.on('SIGINT', () => undefined);
