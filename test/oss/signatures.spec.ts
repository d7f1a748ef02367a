import { describe, expect, it } from 'vitest';
import { parseRequest } from './oss-request.js';
import { signV1, stringToSignV1 } from './signature-v1.js';
import { canonicalRequestV4, signV4, stringToSignV4 } from './signature-v4.js';
import { type Anchor, type Vector, VECTORS } from './vectors.js';

const RULES = {
  baseHosts: ['oss-cn-hangzhou.aliyuncs.com'],
  cnames: new Map([['img.example.com', 'gw-images']]),
  pathStyleHosts: ['localhost'],
};

const isV1 = ({ scheme }: Anchor) => scheme.startsWith('v1');

describe('signatures of the stand-in', () => {
  it.each(VECTORS.anchors.filter(isV1))(
    'sign like Aliyun: $id',
    ({ accessKeySecret, stringToSign, signature }) => {
      expect(signV1(accessKeySecret, stringToSign)).toBe(signature);
    },
  );

  it.each(VECTORS.anchors.filter((anchor) => !isV1(anchor)))('sign like Aliyun: $id', (anchor) => {
    const { method = '', bucket = '', key = '', region = '', additionalHeaders = [] } = anchor;
    const headers = new Map(
      Object.entries(anchor.headers ?? {}).map(([name, value]) => [name.toLowerCase(), value]),
    );
    const query = new Map(Object.entries(anchor.query ?? {}));
    const canonical = canonicalRequestV4(
      { method, host: '', bucket, key, query, headers },
      additionalHeaders,
    );
    expect(canonical).toBe(anchor.canonicalRequest);
    const timestamp = headers.get('x-oss-date') ?? query.get('x-oss-date') ?? '';
    const scope = { date: timestamp.slice(0, 8), region };
    const text = stringToSignV4(timestamp, scope, canonical);
    expect(text).toBe(anchor.stringToSign);
    expect(signV4(anchor.accessKeySecret, scope, text)).toBe(anchor.signature);
  });

  it.each(VECTORS.vectors.filter(isV1))('derive what ali-oss signed: $id', (vector) => {
    const request = parse(vector);
    const date = request.query.get('Expires') ?? request.headers.get('x-oss-date') ?? '';
    const text = stringToSignV1(request, date);
    expect(text).toBe(vector.stringToSign);
    expect(signV1(vector.accessKeySecret, text)).toBe(vector.signature);
  });

  it.each(VECTORS.vectors.filter((vector) => !isV1(vector)))('derive what ali-oss signed: $id', (vector) => {
    const request = parse(vector);
    const named = /AdditionalHeaders=([^,]+)/.exec(request.headers.get('authorization') ?? '')?.[1];
    const additional = (named ?? request.query.get('x-oss-additional-headers'))?.split(';') ?? [];
    const canonical = canonicalRequestV4(request, additional);
    expect(canonical).toBe(vector.canonicalRequest);
    const timestamp = request.headers.get('x-oss-date') ?? request.query.get('x-oss-date') ?? '';
    const scope = { date: timestamp.slice(0, 8), region: vector.region ?? '' };
    const text = stringToSignV4(timestamp, scope, canonical);
    expect(text).toBe(vector.stringToSign);
    expect(signV4(vector.accessKeySecret, scope, text)).toBe(vector.signature);
  });

  it('sort the sub-resources of V1 and leave other parameters out', () => {
    const target = '/k?response-content-type=b&zzz=1&response-cache-control=a&uploads';
    const request = parseRequest('GET', target, { host: 'gw-images.oss-cn-hangzhou.aliyuncs.com' }, RULES);
    expect(stringToSignV1(request, '1')).toBe(
      'GET\n\n\n1\n/gw-images/k?response-cache-control=a&response-content-type=b&uploads',
    );
  });
});

function parse({ request: { method, url, headers } }: Vector) {
  return parseRequest(method, url.replace(/^https?:\/\/[^/]+/, ''), headers, RULES);
}
