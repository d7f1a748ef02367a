import { createHmac } from 'node:crypto';
import type { OssRequest } from './oss-request.js';

/** Query parameters that are part of a V1 signature; all others are not (Aliyun documentation, "sub-resources"). */
const SIGNED_PARAMETERS = new Set(
  (
    'acl,uploads,location,cors,logging,website,referer,lifecycle,delete,append,tagging,objectMeta,uploadId,partNumber,' +
    'security-token,position,img,style,styleName,replication,replicationProgress,replicationLocation,cname,bucketInfo,' +
    'comp,qos,live,status,vod,startTime,endTime,symlink,x-oss-process,callback,callback-var,restore,encryption,versions,' +
    'versioning,versionId,policy,requestPayment,x-oss-traffic-limit,qosInfo,asyncFetch,x-oss-request-payer,sequential,' +
    'inventory,inventoryId,continuation-token,worm,wormId,wormExtend,response-content-type,response-content-language,' +
    'response-expires,response-cache-control,response-content-disposition,response-content-encoding'
  ).split(','),
);

/**
 * What V1 signs.
 * @param date `x-oss-date` or `Date` for a signature in the header, `Expires` for one in the URL
 */
export function stringToSignV1({ method, bucket, key, query, headers }: OssRequest, date: string): string {
  const ossHeaders = [...headers]
    .filter(([name]) => name.startsWith('x-oss-'))
    .sort(byName)
    .map(([name, value]) => `${name}:${value}\n`);
  const parameters = [...query]
    .filter(([name]) => SIGNED_PARAMETERS.has(name))
    .sort(byName)
    .map(([name, value]) => (value ? `${name}=${value}` : name));
  const resource = `/${bucket}/${key}${parameters.length === 0 ? '' : `?${parameters.join('&')}`}`;
  const lines = [method, headers.get('content-md5') ?? '', headers.get('content-type') ?? '', date];
  return `${lines.join('\n')}\n${ossHeaders.join('')}${resource}`;
}

export function signV1(secret: string, stringToSign: string): string {
  return createHmac('sha1', secret).update(stringToSign, 'utf8').digest('base64');
}

function byName([a]: [string, unknown], [b]: [string, unknown]): number {
  return a < b ? -1 : Number(a > b);
}
