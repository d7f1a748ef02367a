import { createServer } from 'node:net';

/** The wanted port, or the first free one after it. @throws Error where twenty in a row are taken */
export async function findFreePort(wanted: number, host: string): Promise<number> {
  for (let port = wanted; port < wanted + 20; port += 1) {
    if (await isFree(port, host)) return port;
  }
  throw new Error(`No port from ${wanted} to ${wanted + 19} is free; set PORT to another one.`);
}

function isFree(port: number, host: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE' || error.code === 'EACCES') resolve(false);
      else reject(error);
    });
    server.listen(port, host, () => server.close(() => resolve(true)));
  });
}
