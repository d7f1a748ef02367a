import { describe, expect, it } from 'vitest';
import { parseOssEndpoint } from './oss-endpoint.js';

const bucket = 'gw-images';
const HANGZHOU = 'oss-cn-hangzhou.aliyuncs.com';

describe('parseOssEndpoint', () => {
  const classic = {
    protocol: 'https:',
    host: HANGZHOU,
    publicHost: HANGZHOU,
    style: 'virtual',
    region: 'cn-hangzhou',
  };
  it.each([
    [HANGZHOU, classic, 0],
    [`https://${HANGZHOU}/`, classic, 0],
    [`HTTPS://OSS-CN-HANGZHOU.ALIYUNCS.COM`, classic, 0],
    [`${HANGZHOU}.`, classic, 0],
    [` ${HANGZHOU}\n`, classic, 0],
    [`"${HANGZHOU}"`, classic, 0],
    [`' ${HANGZHOU} '`, classic, 0],
    [`${HANGZHOU}:443`, classic, 0],
    [`http://${HANGZHOU}`, { ...classic, protocol: 'http:' }, 1],
    [`${HANGZHOU}:8443`, { ...classic, host: `${HANGZHOU}:8443`, publicHost: `${HANGZHOU}:8443` }, 0],
    [`gw-images.${HANGZHOU}`, classic, 1],
    [`https://gw-images.${HANGZHOU}`, classic, 1],
    ['oss-cn-hangzhou', classic, 1],
    ['cn-hangzhou', classic, 1],
    [`s3.${HANGZHOU}`, classic, 1],
    [`gw-images.s3.${HANGZHOU}`, classic, 2],
    [
      'oss-cn-hangzhou-internal.aliyuncs.com',
      { ...classic, host: 'oss-cn-hangzhou-internal.aliyuncs.com' },
      0,
    ],
    ['oss-cn-hangzhou-internal', { ...classic, host: 'oss-cn-hangzhou-internal.aliyuncs.com' }, 1],
    ['vpc100-oss-cn-hangzhou.aliyuncs.com', { ...classic, host: 'vpc100-oss-cn-hangzhou.aliyuncs.com' }, 0],
    [
      'cn-hangzhou.oss.aliyuncs.com',
      { ...classic, host: 'cn-hangzhou.oss.aliyuncs.com', publicHost: 'cn-hangzhou.oss.aliyuncs.com' },
      0,
    ],
    [
      'cn-hangzhou.oss-internal.aliyuncs.com',
      {
        ...classic,
        host: 'cn-hangzhou.oss-internal.aliyuncs.com',
        publicHost: 'cn-hangzhou.oss.aliyuncs.com',
      },
      0,
    ],
    ['oss-ap-southeast-1.aliyuncs.com', { region: 'ap-southeast-1' }, 0],
    ['oss-cn-shanghai-finance-1-pub.aliyuncs.com', { region: 'cn-shanghai-finance-1-pub' }, 0],
  ])('reads %j', (text, expected, warnings) => {
    const endpoint = parseOssEndpoint(text, { bucket });
    expect(endpoint).toMatchObject(expected);
    expect(endpoint.warnings).toHaveLength(warnings);
  });

  it.each([
    ['oss-accelerate.aliyuncs.com', { style: 'virtual', host: 'oss-accelerate.aliyuncs.com' }],
    ['img.example.com', { style: 'cname', host: 'img.example.com', publicHost: 'img.example.com' }],
    ['http://localhost:9000', { style: 'path', host: 'localhost:9000', protocol: 'http:' }],
    ['127.0.0.1:9000', { style: 'path', host: 'localhost:9000' }],
    ['[::1]:9000', { style: 'path', host: 'localhost:9000' }],
  ])('needs the region for %s, unless signatures are V1', (text, expected) => {
    expect(() => parseOssEndpoint(text, { bucket })).toThrow(/read ".*OSS_REGION/);
    expect(parseOssEndpoint(text, { bucket, region: 'oss-cn-beijing' })).toMatchObject({
      ...expected,
      region: 'cn-beijing',
    });
    expect(parseOssEndpoint(text, { bucket, signatureVersion: 'v1' }).region).toBeUndefined();
  });

  it('lets OSS_REGION win, and says so where the host says otherwise', () => {
    expect(parseOssEndpoint(HANGZHOU, { bucket, region: 'cn-hangzhou' }).warnings).toEqual([]);
    const endpoint = parseOssEndpoint(HANGZHOU, { bucket, region: 'cn-hangzhou-finance' });
    expect(endpoint.region).toBe('cn-hangzhou-finance');
    expect(endpoint.warnings).toEqual([expect.stringContaining('OSS_REGION is used')]);
  });

  it('takes the word of cname over its own guess', () => {
    expect(parseOssEndpoint('oss.corp.example', { bucket, region: 'x1', cname: false }).style).toBe(
      'virtual',
    );
    expect(parseOssEndpoint(`gw-images.${HANGZHOU}`, { bucket, cname: true })).toMatchObject({
      style: 'cname',
      host: `gw-images.${HANGZHOU}`,
      region: 'cn-hangzhou',
      warnings: [],
    });
  });

  it.each([
    ['', 'is empty'],
    [' "" ', 'is empty'],
    [`https://user:hunter2@${HANGZHOU}`, 'holds credentials'],
    [`https://${HANGZHOU}/comfy_images`, 'has a path'],
    [`${HANGZHOU}?token=hunter2`, 'has a query'],
    [`${HANGZHOU}#x`, 'has a query'],
    [`ftp://${HANGZHOU}`, 'scheme ftp'],
    [`other-bucket.${HANGZHOU}`, 'names the bucket other-bucket'],
    ['ecs.aliyuncs.com', 'no endpoint of OSS'],
    ['10.0.0.5:9000', 'is an IP address'],
    ['[fe80::1]', 'is an IP address'],
    ['two words', 'is not a host'],
    ['http://', 'is not a host'],
  ])('refuses %j', (text, why) => {
    const parse = () => parseOssEndpoint(text, { bucket });
    expect(parse).toThrow(/^read ".*accepted: /s);
    expect(parse).toThrow(why);
    expect(parse).not.toThrow('hunter2');
  });

  it('refuses what cannot be a bucket or a region', () => {
    expect(() => parseOssEndpoint(HANGZHOU, { bucket: 'Not.A.Bucket' })).toThrow('not a bucket name');
    expect(() => parseOssEndpoint(HANGZHOU, { bucket, region: 'hang zhou' })).toThrow('not one');
  });
});
