import { readFileSync } from 'node:fs';

export interface Anchor {
  id: string;
  scheme: 'v1-header' | 'v1-query' | 'v4-header' | 'v4-query';
  accessKeySecret: string;
  stringToSign: string;
  signature: string;
  region?: string;
  bucket?: string;
  key?: string;
  method?: string;
  query?: Record<string, string>;
  headers?: Record<string, string>;
  additionalHeaders?: string[];
  canonicalRequest?: string;
}

export interface RecordedRequest {
  method: string;
  url: string;
  headers: Record<string, string>;
  bodyUtf8?: string;
}

export interface Vector extends Anchor {
  accessKeyId: string;
  request: RecordedRequest;
}

export interface Check {
  id: string;
  mutation: string;
  clockOffsetSeconds: number;
  request: RecordedRequest;
  expect: { status: number; code: string | null };
}

interface Credentials {
  accessKeyId: string;
  accessKeySecret: string;
  securityToken?: string;
}

/**
 * `anchors`: values that Aliyun publishes or that its own SDKs are tested with. `vectors`: requests of ali-oss 6.23 with
 * a frozen clock, re-derived by independent code. `checks`: the same requests altered, and what must come of it.
 */
export const VECTORS = JSON.parse(
  readFileSync(new URL('signature-vectors.json', import.meta.url), 'utf8'),
) as {
  clock: string;
  credentials: { main: Credentials; sts: Credentials };
  anchors: Anchor[];
  vectors: Vector[];
  checks: Check[];
};
