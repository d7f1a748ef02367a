import type { OssServer } from '../../oss/index.js';

/** Settings of a gateway that stores into the bucket of an OSS test server. */
export function ossEnv(oss: OssServer, more: Record<string, string> = {}): Record<string, string> {
  return {
    ENABLE_OSS: 'true',
    OSS_ENDPOINT: oss.endpoint,
    OSS_REGION: oss.region,
    OSS_BUCKET_NAME: oss.bucket,
    OSS_ACCESS_KEY_ID: oss.key.id,
    OSS_ACCESS_KEY_SECRET: oss.key.secret,
    ...more,
  };
}
