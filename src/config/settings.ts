import { z } from 'zod';
import type { BackendAddress } from './comfyui-server.js';
import { FIELD_DOCS } from './fields.js';
import type { ConnectionLimits } from './connection-limits.js';
import type { LinkSecret } from './link-secrets.js';
import { parseOssEndpoint } from './oss-endpoint.js';
import { isWithin } from './served-folder.js';
import { SETTINGS_SCHEMA } from './settings.schema.js';
import type { WebhookSecret } from './webhook-secrets.js';
import { StartError } from './start.error.js';

type Env = z.output<typeof SETTINGS_SCHEMA>;

export interface OssSettings {
  endpoint: string;
  bucket: string;
  accessKeyId: string;
  accessKeySecret: string;
  /** Ends with `/`, or is empty. */
  basePath: string;
  region: string | undefined;
  urlMode: Env['OSS_URL_MODE'];
  signatureVersion: Env['OSS_SIGNATURE_VERSION'];
  publicEndpoint: string | undefined;
  publicBaseUrl: string | undefined;
}

/** All settings, validated and in the units the code uses. */
export interface Settings {
  server: {
    host: string;
    port: number;
    /** No trailing slash. */
    baseUrl: string | undefined;
    /** Names of this server beside that of `baseUrl`; `*.` before a domain. */
    allowedHosts: string[];
    /** Addresses and ranges of reverse proxies. */
    trustProxy: string[];
    maxBodyBytes: number;
    /** Origins of web pages that may call; absent: none. */
    corsOrigins: '*' | string[] | undefined;
    /** For tests: limits of what callers can hold by sending or reading slowly. */
    connectionLimits?: ConnectionLimits;
  };
  log: { level: Env['LOG_LEVEL']; format: Env['LOG_FORMAT'] };
  comfy: {
    backends: BackendAddress[];
    slots: number;
    maxQueue: number;
    jobFolders: boolean;
    allowHostPaths: boolean;
    deleteHistory: boolean;
    outputsVia: Env['COMFYUI_OUTPUTS'];
    warmUpWorkflow: unknown;
    maxAttempts: number;
    deadlines: { jobMs: number; stallMs: number };
    noBackendAfterMs: number;
    storeRetryMs: number;
    shutdownGraceMs: number;
    /** How files are fetched that workflows name by URL. */
    fetch: { maxBytes: number; timeoutMs: number };
    /** Stored pictures carry no workflow. */
    stripMetadata: boolean;
  };
  /** What callers may make this server call beyond the public internet. */
  outbound: { allowHosts: string[]; allowPrivate: boolean };
  images: { maxMegapixels: number };
  /** What is remembered, and how long. */
  state: {
    /** Folder of the database; absent: in memory. */
    directory: string | undefined;
  };
  assets: {
    maxUploadBytes: number;
    /** Milliseconds that assets and ended jobs are kept; undefined: for ever. Absent database folder: see ADR 0016. */
    retentionMs: number | undefined;
  };
  /** Token for what only operators may do; absent: everybody may. */
  adminToken: string | undefined;
  generate: { waitLimitMs: number; maxBase64Bytes: number };
  webhooks: {
    /** Each signs, the newest first; absent: there are no webhooks. */
    secrets: WebhookSecret[] | undefined;
    /** For tests: milliseconds from each try at a delivery to the next, and for each. */
    scheduleMs?: readonly number[];
    tryMs?: number;
  };
  storage: {
    directory: string;
    maxFileBytes: number;
    minFreeBytes: number;
    /** For how long an upload that fails is tried again, in ms. */
    retryMs: number;
    linkSecrets: LinkSecret[] | undefined;
    /** Absent: files stay local. */
    oss: OssSettings | undefined;
  };
  /** What is allowed but probably not meant; to be logged once at boot. */
  warnings: string[];
}

/** Every mistake in the environment at once, a line each. */
export class SettingsError extends StartError {
  override readonly name = 'SettingsError';

  constructor(readonly mistakes: readonly string[]) {
    super(`These settings cannot be used:\n${mistakes.map((line) => `  ${line}`).join('\n')}`);
  }
}

const MIB = 1024 * 1024;
const DAY_MS = 86_400_000;

/**
 * Reads the settings from environment variables.
 * @throws SettingsError naming each variable with what was read and what is accepted
 */
export function readSettings(env: Readonly<Record<string, string | undefined>>): Settings {
  const result = SETTINGS_SCHEMA.safeParse(env);
  const mistakes = result.success ? [] : result.error.issues.map((issue) => describe(issue, env));
  if (!result.success) throw new SettingsError(mistakes);
  const values = result.data;
  const warnings: string[] = [];
  const backends = withHeaders(values, mistakes);
  const oss = readOss(values, mistakes, warnings, isSet(env['ENABLE_OSS']));
  if (values.STATE_DIR !== undefined && isWithin(values.STATE_DIR, values.OUTPUT_DIR)) {
    mistakes.push(
      `STATE_DIR: read ${JSON.stringify(values.STATE_DIR)}, which is OUTPUT_DIR or in it, and that is served at /output_images; accepted: a folder elsewhere`,
    );
  }
  if (mistakes.length > 0) throw new SettingsError(mistakes);
  if (values.WEBHOOK_SECRETS !== undefined && values.SERVER_BASE_URL === undefined) {
    warnings.push(
      'WEBHOOK_SECRETS is set, but SERVER_BASE_URL is not: job_url and url in webhooks are paths without a host, which receivers cannot open. Set SERVER_BASE_URL to the URL under which they reach this server.',
    );
  }
  return {
    server: {
      host: values.HOST,
      port: values.PORT,
      baseUrl: values.SERVER_BASE_URL,
      allowedHosts: values.ALLOWED_HOSTS ?? [],
      trustProxy: values.TRUST_PROXY ?? [],
      maxBodyBytes: values.MAX_BODY_MB * MIB,
      corsOrigins: values.CORS_ORIGINS,
    },
    log: { level: values.LOG_LEVEL, format: values.LOG_FORMAT },
    comfy: {
      backends,
      slots: values.COMFYUI_SLOTS,
      maxQueue: values.MAX_QUEUE,
      jobFolders: values.COMFYUI_JOB_FOLDERS,
      allowHostPaths: values.COMFYUI_ALLOW_HOST_PATHS,
      deleteHistory: values.COMFYUI_DELETE_HISTORY,
      outputsVia: values.COMFYUI_OUTPUTS,
      warmUpWorkflow: values.COMFYUI_WARMUP,
      maxAttempts: values.MAX_ATTEMPTS,
      deadlines: { jobMs: values.JOB_TIMEOUT_S * 1_000, stallMs: values.JOB_STALL_S * 1_000 },
      noBackendAfterMs: values.NO_BACKEND_S * 1_000,
      storeRetryMs: values.STORE_RETRY_S * 1_000,
      shutdownGraceMs: values.SHUTDOWN_GRACE_S * 1_000,
      stripMetadata: values.STRIP_METADATA,
      fetch: { maxBytes: values.MAX_UPLOAD_MB * MIB, timeoutMs: values.FETCH_TIMEOUT_S * 1_000 },
    },
    outbound: { allowHosts: values.FETCH_ALLOW_HOSTS ?? [], allowPrivate: values.FETCH_ALLOW_PRIVATE },
    images: { maxMegapixels: values.IMAGE_MAX_MEGAPIXELS },
    state: { directory: values.STATE_DIR },
    assets: {
      maxUploadBytes: values.MAX_UPLOAD_MB * MIB,
      retentionMs: values.RETENTION_DAYS === 0 ? undefined : values.RETENTION_DAYS * DAY_MS,
    },
    adminToken: values.ADMIN_TOKEN,
    generate: {
      waitLimitMs: values.GENERATE_TIMEOUT_S * 1_000,
      maxBase64Bytes: values.BASE64_MAX_MB * MIB,
    },
    webhooks: { secrets: values.WEBHOOK_SECRETS },
    storage: {
      directory: values.OUTPUT_DIR,
      maxFileBytes: values.MAX_OUTPUT_MB * MIB,
      minFreeBytes: values.MIN_FREE_MB * MIB,
      retryMs: values.STORE_RETRY_S * 1_000,
      linkSecrets: values.LINK_SECRETS,
      oss,
    },
    warnings,
  };
}

function describe(issue: z.core.$ZodIssue, env: Readonly<Record<string, string | undefined>>): string {
  const name = String(issue.path[0]);
  const schema = SETTINGS_SCHEMA.shape[name as keyof typeof SETTINGS_SCHEMA.shape];
  const doc = FIELD_DOCS.get(schema);
  const raw = env[name] ?? '';
  const read = doc?.secret ? `(hidden, ${raw.length} characters)` : JSON.stringify(withoutCredentials(raw));
  return `${name}: read ${read}, which ${issue.message}; accepted: ${doc?.accepts ?? 'see .env.example'}`;
}

/** `http://user:password@host/?token=…` is a server's address, and errors go to logs. */
function withoutCredentials(raw: string): string {
  return raw.replace(/\/\/[^/@\s]*@/g, '//…@').replace(/\?[^,\s]*/g, '?…');
}

function withHeaders(values: Env, mistakes: string[]): BackendAddress[] {
  const backends = values.COMFYUI_SERVER;
  const sets = values.COMFYUI_HEADERS;
  if (sets !== undefined && sets.length !== 1 && sets.length !== backends.length) {
    mistakes.push(
      `COMFYUI_HEADERS: read ${sets.length} sets for ${backends.length} servers; accepted: one for all, or one each`,
    );
    return backends;
  }
  const names = backends.map(({ name }) => name);
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) {
    mistakes.push(`COMFYUI_SERVER: read ${JSON.stringify(twice)} more than once; accepted: each server once`);
  }
  return backends.map((backend, index) => ({
    ...backend,
    headers: { ...backend.headers, ...(sets?.length === 1 ? sets[0] : sets?.[index]) },
  }));
}

function isSet(value: string | undefined): boolean {
  return value !== undefined && value.trim() !== '';
}

/** @param asked was OSS asked for? By default it is on, so that its settings alone suffice: without any of them nobody wants it. */
function readOss(
  values: Env,
  mistakes: string[],
  warnings: string[],
  asked: boolean,
): OssSettings | undefined {
  if (!values.ENABLE_OSS) return undefined;
  const { OSS_ACCESS_KEY_ID, OSS_ACCESS_KEY_SECRET, OSS_ENDPOINT, OSS_BUCKET_NAME } = values;
  const needed = { OSS_ACCESS_KEY_ID, OSS_ACCESS_KEY_SECRET, OSS_ENDPOINT, OSS_BUCKET_NAME };
  if (!OSS_ACCESS_KEY_ID || !OSS_ACCESS_KEY_SECRET || !OSS_ENDPOINT || !OSS_BUCKET_NAME) {
    if (!asked && Object.values(needed).every((value) => value === undefined)) return undefined;
    const missing = Object.entries(needed).flatMap(([name, value]) => (value === undefined ? [name] : []));
    warnings.push(
      `ENABLE_OSS is on, but ${missing.join(', ')} ${missing.length === 1 ? 'is' : 'are'} not set: files are kept and served locally. Set ENABLE_OSS=false to say that this is meant.`,
    );
    return undefined;
  }
  const context = {
    bucket: OSS_BUCKET_NAME,
    region: values.OSS_REGION,
    signatureVersion: values.OSS_SIGNATURE_VERSION,
  };
  for (const name of ['OSS_ENDPOINT', 'OSS_PUBLIC_ENDPOINT'] as const) {
    const text = values[name];
    if (text === undefined) continue;
    try {
      warnings.push(...parseOssEndpoint(text, context).warnings.map((warning) => `${name}: ${warning}`));
    } catch (error) {
      mistakes.push(`${name}: ${error instanceof Error ? error.message : 'cannot be read'}`);
    }
  }
  if (values.OSS_URL_MODE === 'direct' && values.OSS_SIGNATURE_VERSION === 'v4') {
    mistakes.push(
      'OSS_URL_MODE: read "direct", but a URL signed by OSS with V4 lives 7 days at most, not 30; accepted: auto, gateway or proxy, or direct with OSS_SIGNATURE_VERSION=v1 where the bucket takes it',
    );
  }
  return {
    endpoint: OSS_ENDPOINT,
    bucket: OSS_BUCKET_NAME,
    accessKeyId: OSS_ACCESS_KEY_ID,
    accessKeySecret: OSS_ACCESS_KEY_SECRET,
    basePath: values.OSS_BASE_PATH,
    region: values.OSS_REGION,
    urlMode: values.OSS_URL_MODE,
    signatureVersion: values.OSS_SIGNATURE_VERSION,
    publicEndpoint: values.OSS_PUBLIC_ENDPOINT,
    publicBaseUrl: values.OSS_PUBLIC_BASE_URL,
  };
}
