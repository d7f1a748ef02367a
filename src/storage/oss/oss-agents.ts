import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import type { OssAgents } from './oss-client.js';

/** @param maxSockets connections per host */
export function createAgents(maxSockets: number): OssAgents {
  const options = { keepAlive: true, maxSockets, scheduling: 'lifo' } as const;
  return { http: new HttpAgent(options), https: new HttpsAgent(options) };
}

/** Closes every connection; idle ones would keep the process alive. */
export function destroyAgents({ http, https }: OssAgents): void {
  http.destroy();
  https.destroy();
}
