// Exits with 0 if the server in this container answers GET /health/live, with 1 and a reason otherwise.
import { get } from 'node:http';
import { readEnvironment } from './environment.mjs';

/** Milliseconds; below the limit of the image's HEALTHCHECK. */
const TIMEOUT_MS = 4_000;

/** Addresses that mean every address of the machine. */
const ANY = new Set(['0.0.0.0', '::', '[::]']);

const { HOST = '0.0.0.0', PORT = '3000' } = readEnvironment();
const host = ANY.has(HOST) ? '127.0.0.1' : HOST.replace(/^\[(.*)\]$/, '$1');

const fail = (reason) => {
  console.error(`GET /health/live on ${host} port ${PORT}: ${reason}`);
  process.exit(1);
};

get({ host, port: PORT, path: '/health/live', timeout: TIMEOUT_MS }, ({ statusCode }) =>
  statusCode === 200 ? process.exit(0) : fail(`status ${statusCode}`),
)
  .on('timeout', () => fail(`no answer within ${TIMEOUT_MS} ms`))
  .on('error', ({ message }) => fail(message));
