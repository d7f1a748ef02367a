import { createServer } from 'node:net';

/** Below what systems give to outgoing connections: nobody takes it by chance while its owner is down for a moment. */
const FIRST = 20_000;
const COUNT = 12_000;

/** A port of 127.0.0.1 that stays ours across restarts. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = FIRST + Math.floor(Math.random() * COUNT);
    if (await isFree(port)) return port;
  }
}

function isFree(port: number): Promise<boolean> {
  const server = createServer();
  return new Promise((resolve) => {
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}
