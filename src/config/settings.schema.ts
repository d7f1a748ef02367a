import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { parseAllowedHosts } from './allowed-hosts.js';
import { COMFYUI_SERVER_ACCEPTS, parseComfyuiServer } from './comfyui-server.js';
import { choice, flag, httpUrl, integer, parsed, parsedOr, text, textOr } from './fields.js';
import { parseBackendHeaders } from './backend-headers.js';
import { parseHostNames } from './host-names.js';
import { parseLinkSecrets } from './link-secrets.js';
import { parseOrigins } from './origins.js';
import { parseProxies } from './proxies.js';
import { parseWebhookSecrets } from './webhook-secrets.js';

/**
 * Every environment variable the service reads, and nothing else does. Unknown variables are left alone: the
 * environment is shared. A test holds `.env.example` and the READMEs' tables to this list.
 */
export const SETTINGS_SCHEMA = z.object({
  PORT: integer('Port to listen on', 0, 65_535, 3_000),
  HOST: textOr('Address to listen on', 'an IP address or a host name', '0.0.0.0'),
  SERVER_BASE_URL: httpUrl('Where callers reach this server; put before every URL of ours in a reply'),
  ALLOWED_HOSTS: parsed(
    'Names under which callers reach this server, beside that of SERVER_BASE_URL; a Host header with another name gets 421',
    'names without scheme and port, `*.` before a domain, separated by commas, e.g. pictures.example.com',
    parseHostNames,
  ),
  TRUST_PROXY: parsed(
    'Reverse proxies in front of this server: what they say in X-Forwarded-For is the address of the caller',
    'addresses and ranges, loopback, linklocal or uniquelocal, separated by commas, e.g. loopback, 10.0.0.0/8',
    parseProxies,
  ),
  LOG_LEVEL: choice(
    'The least important log lines to write',
    ['error', 'warn', 'log', 'debug', 'verbose'],
    'log',
  ),
  LOG_FORMAT: choice('Log lines for people or for machines', ['text', 'json'], 'text'),
  CORS_ORIGINS: parsed(
    'Origins of web pages that may call this server and watch jobs; none where not set',
    '* for all, or origins separated by commas, e.g. https://studio.example.com',
    parseOrigins,
  ),
  MAX_BODY_MB: integer('Largest request body, in MiB', 1, 1_024, 32),

  COMFYUI_SERVER: parsedOr(
    'The ComfyUI to use; several are used side by side',
    COMFYUI_SERVER_ACCEPTS,
    '127.0.0.1:8188',
    (value) => value.split(',').map(parseComfyuiServer),
  ),
  COMFYUI_HEADERS: parsed(
    'Headers for a proxy in front of ComfyUI; one set for all, or one a server separated by |',
    '`Name: value`, several with ; between them',
    parseBackendHeaders,
    { secret: true },
  ),
  COMFYUI_SLOTS: integer('Prompts that one ComfyUI holds at once, running and waiting', 1, 64, 2),
  COMFYUI_JOB_FOLDERS: flag(
    "Save each job into a folder of its own on ComfyUI's disk (much faster there)",
    true,
  ),
  COMFYUI_ALLOW_HOST_PATHS: flag(
    "Workflows may name absolute paths on ComfyUI's machine, `..`, and files of other jobs (`[output]`, `[temp]`)",
    false,
  ),
  COMFYUI_DELETE_HISTORY: flag("Delete a job from ComfyUI's history once its files are safe", true),
  COMFYUI_OUTPUTS: choice(
    'How pictures come from ComfyUI: as files, or over its socket (SaveImage becomes SaveImageWebsocket)',
    ['files', 'socket'],
    'files',
  ),
  MAX_QUEUE: integer('Jobs that may wait for a free ComfyUI; more get 429', 1, 100_000, 1_000),
  COMFYUI_WARMUP: parsed(
    'A workflow that a ComfyUI has to run, when it is new or was away, before it gets jobs',
    'the path of a JSON file in the API format',
    readJsonFile,
  ),
  MAX_ATTEMPTS: integer('How often a job is tried whose ComfyUI is lost, the first time included', 1, 10, 3),
  JOB_TIMEOUT_S: integer(
    'How long a job may take on a ComfyUI, in seconds; then it is stopped',
    1,
    604_800,
    3_600,
  ),
  JOB_STALL_S: integer(
    'How long ComfyUI may leave a job unconfirmed, by no event and not in its queue, in seconds; then it is run again elsewhere',
    1,
    604_800,
    600,
  ),
  NO_BACKEND_S: integer('How long jobs wait while no ComfyUI is usable, in seconds; then 503', 0, 86_400, 30),
  STORE_RETRY_S: integer(
    'How long storing a rendered file is tried again, in seconds, while disk or bucket fail',
    0,
    86_400,
    60,
  ),
  SHUTDOWN_GRACE_S: integer('How long running jobs may take to end after SIGTERM, in seconds', 0, 86_400, 25),
  ADMIN_TOKEN: text(
    'Token for /api/backends and /api/webhooks, sent as `Authorization: Bearer …`; open to everybody where not set',
    'any text',
    { secret: true },
  ),
  BASE64_MAX_MB: integer('Largest file that `response_type: "base64"` puts into JSON, in MiB', 1, 256, 32),
  GENERATE_TIMEOUT_S: integer('How long a call waits for its picture, in seconds; then 504', 1, 86_400, 600),
  WEBHOOK_SECRETS: parsed(
    'Keys that sign webhooks (Standard Webhooks): each receiver has a secret made of them, or the one bound to its URL. The newest first. No webhooks where not set',
    'whsec_ and base64 of 24 to 64 bytes, or https://host/path=whsec_… for one receiver; several separated by commas',
    parseWebhookSecrets,
    { secret: true },
  ),

  OUTPUT_DIR: textOr('Folder of the local copies, served at /output_images', 'a path', 'output_images'),
  MAX_OUTPUT_MB: integer('Largest file taken from ComfyUI, in MiB', 1, 102_400, 2_048),
  MIN_FREE_MB: integer('Free disk space below which nothing is stored any more, in MiB', 0, 1_048_576, 64),
  MAX_UPLOAD_MB: integer('Largest file that callers may send, or name by URL, in MiB', 1, 102_400, 1_024),
  FETCH_TIMEOUT_S: integer(
    'How long fetching a file that a workflow names by URL may take, in seconds',
    1,
    86_400,
    120,
  ),
  FETCH_ALLOW_HOSTS: parsed(
    'Hosts and ports on private networks that callers may make this server call; by default only the public internet',
    "names, `*.` before a domain, addresses and ranges, each with :port, :* for every port, or for the scheme's own port, separated by commas, e.g. nas.example.lan, 10.1.0.0/16:8080",
    parseAllowedHosts,
  ),
  FETCH_ALLOW_PRIVATE: flag(
    'Callers may make this server call every host and port on private networks, but never its own services',
    false,
  ),
  IMAGE_MAX_MEGAPIXELS: integer(
    'Largest image that is taken from callers or converted, in megapixels, all frames counted',
    1,
    1_000,
    100,
  ),
  STRIP_METADATA: flag(
    'Leave the workflow that ComfyUI writes into PNG and WebP out of the stored files',
    false,
  ),
  STATE_DIR: text(
    'Folder in which jobs, assets and idempotency keys outlive a restart; in memory only where not set',
    'a path',
  ),
  RETENTION_DAYS: integer(
    'With STATE_DIR: how long jobs, assets and their files are kept, in days; 0: for ever',
    0,
    36_500,
    31,
  ),
  LINK_SECRETS: parsed(
    'Keys that sign links of ours; the first signs, all are good. Made and kept in OUTPUT_DIR where not set',
    'id:secret, several separated by commas, each secret 32 characters or more',
    parseLinkSecrets,
    { secret: true },
  ),

  ENABLE_OSS: flag('Upload every file to Aliyun OSS as well', true),
  OSS_ACCESS_KEY_ID: text('Access key of Aliyun OSS', 'the id', { secret: true }),
  OSS_ACCESS_KEY_SECRET: text('Secret of that access key', 'the secret', { secret: true }),
  OSS_ENDPOINT: text(
    'Endpoint of the bucket',
    'oss-cn-hangzhou.aliyuncs.com, an -internal one, or a bound domain',
  ),
  OSS_BUCKET_NAME: text('Name of the bucket', 'the name'),
  OSS_BASE_PATH: parsedOr('Folder in the bucket', 'a path without .. and \\', 'comfy_images/', parseBasePath),
  OSS_REGION: text('Region of the bucket; needed where the endpoint does not tell it', 'e.g. cn-hangzhou'),
  OSS_URL_MODE: choice(
    'What the URL in a reply is: signed by OSS, a link of ours that redirects or streams, or public',
    ['auto', 'direct', 'gateway', 'proxy', 'public'],
    'auto',
  ),
  OSS_SIGNATURE_VERSION: choice('Signature of uploads; v1 for old private clouds only', ['v4', 'v1'], 'v4'),
  OSS_PUBLIC_ENDPOINT: text('Endpoint that callers reach, where OSS_ENDPOINT is internal', 'as OSS_ENDPOINT'),
  OSS_PUBLIC_BASE_URL: httpUrl('Public base URL of the bucket (a CDN), for OSS_URL_MODE=public'),
});

function readJsonFile(path: string): unknown {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch {
    throw new Error('cannot be read');
  }
  try {
    return JSON.parse(text) as unknown;
  } catch {
    throw new Error('does not hold JSON');
  }
}

function parseBasePath(value: string): string {
  // oxlint-disable-next-line no-control-regex
  if (/(^|\/)\.\.(\/|$)|\\|[\u0000-\u001f\u007f]|^\?/.test(value))
    throw new Error('has a part that is not allowed');
  const path = value.split('/').filter(Boolean).join('/');
  return path === '' ? '' : `${path}/`;
}
