import type { Server } from 'node:net';
import { parseOssEndpoint, type Settings } from './config/index.js';
import type { OwnServer } from './outbound/index.js';

/** A proxy that takes one of these usually takes the other as well, and sends it to the same place. */
const WEB_PORTS = [80, 443];

/**
 * The servers of this installation that callers must not reach through it: their webhooks would be obeyed there, by the calls about
 * backends or by ComfyUI.
 */
export function ownServersOf(settings: Settings): OwnServer[] {
  const { server, comfy, storage } = settings;
  const urls = [
    ...comfy.backends.map(({ url }) => url),
    ...(server.baseUrl === undefined ? [] : [server.baseUrl]),
  ];
  return [...urls.flatMap(serversOf), ...bucketOf(storage.oss)];
}

/** This application itself. @returns nothing while it does not listen @param settings where it was told to */
export function listening(server: Server): OwnServer[] {
  const address = server.address();
  // A path is a socket of Unix, which no URL leads to.
  return address === null || typeof address === 'string'
    ? []
    : [{ host: address.address, port: address.port }];
}

function serversOf(url: string): OwnServer[] {
  const { hostname, port, protocol } = new URL(url);
  const number = port === '' ? (protocol === 'https:' ? 443 : 80) : Number(port);
  const ports = WEB_PORTS.includes(number) ? WEB_PORTS : [number];
  return ports.map((one) => ({ host: hostname, port: one }));
}

/** Files of the bucket have links that anybody may open: only what is not on the public internet is closed. */
function bucketOf(oss: Settings['storage']['oss']): OwnServer[] {
  if (oss === undefined) return [];
  const { host, protocol } = parseOssEndpoint(oss.endpoint, oss);
  const hosts = [host, `${oss.bucket}.${host}`];
  return hosts
    .flatMap((one) => serversOf(`${protocol}//${one}`))
    .map((server) => ({ ...server, publicAllowed: true }));
}
