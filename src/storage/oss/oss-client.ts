import type { Agent as HttpAgent } from 'node:http';
import type { Agent as HttpsAgent } from 'node:https';
import type { Readable } from 'node:stream';
import OSS from 'ali-oss';
import type { OssEndpoint } from '../../config/index.js';
import type { OssOptions } from '../storage.options.js';

/** Headers and status of an answer; values as Node gives them. */
export interface OssReply {
  status: number;
  headers: Record<string, string | undefined>;
}

/** `[connect, response]` in ms; the second covers the whole exchange, body included (seen with ali-oss 6.23). */
export type OssTimeout = readonly [connectMs: number, responseMs: number];

export interface OssRequestOptions {
  headers?: Record<string, string>;
  timeout?: OssTimeout;
}

/**
 * The part of ali-oss that is used; its types are wrong about timeouts and miss options. Options are changed by the
 * calls, so every call gets new ones. No call retries: ali-oss retries neither 5xx nor streams nor its own timeouts.
 */
export interface OssClient {
  putStream(
    name: string,
    body: Readable,
    options: OssRequestOptions & { contentLength: number; mime: string },
  ): Promise<{ res: OssReply }>;
  delete(name: string, options: OssRequestOptions): Promise<unknown>;
  head(name: string, options: OssRequestOptions): Promise<{ res: OssReply }>;
  get(name: string, options: OssRequestOptions): Promise<{ res: OssReply }>;
  getStream(name: string, options: OssRequestOptions): Promise<{ stream: Readable; res: OssReply }>;
  /** V1. @param options.expires seconds; anything but a number corrupts the URL */
  signatureUrl(name: string, options: { expires: number; method: string }): string;
  signatureUrlV4(method: string, expires: number, request: object, name: string): Promise<string>;
}

export interface OssAgents {
  http: HttpAgent;
  https: HttpsAgent;
}

/** @param host which of the endpoint's hosts to talk to or sign for */
export function createClient(
  options: OssOptions,
  endpoint: OssEndpoint,
  host: string,
  agents: OssAgents,
): OssClient {
  return new OSS({
    accessKeyId: options.accessKeyId,
    accessKeySecret: options.accessKeySecret,
    bucket: options.bucket,
    endpoint: `${endpoint.protocol}//${host}`,
    // Given as undefined, these would overwrite ali-oss's own values.
    ...(endpoint.region === undefined ? {} : { region: `oss-${endpoint.region}` }),
    secure: endpoint.protocol === 'https:',
    authorizationV4: options.signatureVersion !== 'v1',
    cname: endpoint.style === 'cname',
    sldEnable: endpoint.style === 'path',
    // Its own agents are shared by the whole process and keep it alive.
    agent: agents.http,
    httpsAgent: agents.https,
    retryMax: 0,
  } as OSS.Options) as unknown as OssClient;
}
