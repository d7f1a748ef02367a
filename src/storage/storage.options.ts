/** What the storage needs to know. */
export interface StorageOptions {
  /** Folder of the local copies. */
  directory: string;
  /** Put before every URL of ours, e.g. `https://pictures.example.com`; URLs are relative without it. */
  publicBaseUrl?: string | undefined;
  /** Largest file taken, in bytes. @default 2 GiB */
  maxFileBytes?: number | undefined;
  /** Bytes of the disk to leave free; 0 switches the guard off. @default 64 MiB */
  minFreeBytes?: number | undefined;
  /** For how long an upload that fails for a passing reason is tried again, in ms. @default 60000 */
  retryMs?: number | undefined;
  /** How long links live, in seconds. @default 2592000 (30 days) */
  linkTtlSeconds?: number | undefined;
  /** Keys that sign links of ours; the first signs, all are good. @default one made once, kept in `directory` */
  linkSecrets?: LinkSecret[] | undefined;
  /** The bucket that every file goes to as well. Absent: files stay local. */
  oss?: OssOptions | undefined;
}

/** A key that signs links. `id` goes into the link, so that keys can be changed while old links live. */
export interface LinkSecret {
  /** 1 to 16 letters, digits, `_` or `-`. */
  id: string;
  /** 32 characters or more. */
  secret: string;
}

/**
 * What the URL of an uploaded file is.
 * `direct`: signed by OSS for the whole time (needs V1). `gateway`: a link of ours that redirects to a fresh short OSS
 * URL. `proxy`: a link of ours that streams. `public`: unsigned. `auto`: `direct` where the bucket takes it, else `gateway`.
 */
export type OssUrlMode = 'auto' | 'direct' | 'gateway' | 'proxy' | 'public';

/** A bucket of Aliyun OSS. */
export interface OssOptions {
  /** As people write it; `parseOssEndpoint` reads it. */
  endpoint: string;
  bucket: string;
  accessKeyId: string;
  accessKeySecret: string;
  /** Folder in the bucket: empty, or ending with `/`. @default '' */
  basePath?: string | undefined;
  /** e.g. `cn-hangzhou`; needed where the endpoint does not tell it. */
  region?: string | undefined;
  /** Is the endpoint a domain bound to the bucket? @default told from the endpoint */
  cname?: boolean | undefined;
  /** @default 'auto' */
  urlMode?: OssUrlMode | undefined;
  /** Of uploads, and of the URLs of `direct`. @default 'v4' */
  signatureVersion?: 'v4' | 'v1' | undefined;
  /** Endpoint that callers reach. @default the public twin of `endpoint` */
  publicEndpoint?: string | undefined;
  /** Base URL of unsigned links, e.g. of a CDN. @default the bucket's own host */
  publicBaseUrl?: string | undefined;
  /** Longest wait for one request of ordinary size, in ms; larger files get more. @default 60000 */
  timeoutMs?: number | undefined;
  /** Connections to OSS, and uploads at a time. @default 16 */
  maxSockets?: number | undefined;
}

export const THIRTY_DAYS_S = 2_592_000;
