import { describe, expect, it } from 'vitest';
import { fromOssError } from './oss-error.js';

const XML_ERROR = 'Invalid character in entity name\nLine: 0\nColumn: 12\nraw xml: <html>secret page</html>';

describe('fromOssError', () => {
  it.each([
    [{ code: 'InvalidAccessKeyId', status: 403 }, 'auth', false],
    [{ code: 'SignatureDoesNotMatch', status: 403 }, 'auth', false],
    [{ code: 'SecurityTokenExpired', status: 403 }, 'auth', false],
    [{ code: 'AccessDenied', status: 403 }, 'forbidden', false],
    [{ code: 'UserDisable', status: 403 }, 'forbidden', false],
    [{ code: 'RequestTimeTooSkewed', status: 403 }, 'clock_skew', false],
    [
      { code: 'InvalidArgument', status: 400, message: 'Invalid signing region in Authorization header.' },
      'config',
      false,
    ],
    [
      { code: 'AccessDenied', status: 403, message: 'must be addressed using the specified endpoint' },
      'config',
      false,
    ],
    [{ code: 'SecondLevelDomainForbidden', status: 403 }, 'config', false],
    [{ code: 'NoSuchBucket', status: 404 }, 'no_bucket', false],
    [{ code: 'NoSuchKey', status: 404 }, 'not_found', false],
    [{ code: 'InvalidDigest', status: 400 }, 'integrity', true],
    [{ code: 'EntityTooLarge', status: 400 }, 'too_large', false],
    [{ code: 'QpsLimitExceeded', status: 429 }, 'throttled', true],
    [{ code: 'SlowDown', status: 503 }, 'throttled', true],
    [{ code: 'InternalError', status: 500 }, 'unavailable', true],
    [{ name: 'Error', status: 502, message: XML_ERROR }, 'unavailable', true],
    [
      {
        name: 'RequestError',
        code: 'RequestError',
        status: -1,
        message: 'getaddrinfo ENOTFOUND, PUT https://x/?Signature=y -1',
      },
      'unavailable',
      true,
    ],
    [{ name: 'SocketAssignTimeoutError', code: 'SocketAssignTimeoutError', status: -2 }, 'unavailable', true],
    // Neither a status nor a code: seen with ali-oss 6.23.
    [{ name: 'ResponseTimeoutError', message: 'Response timeout for 60000ms' }, 'timeout', true],
    [new TypeError('x is not a function'), 'unknown', false],
    [undefined, 'unknown', false],
    ['text', 'unknown', false],
  ])('%j is %s', (error, reason, retryable) => {
    expect(fromOssError(error)).toMatchObject({ reason, retryable });
  });

  it('tells no more than a log line needs', () => {
    const error = Object.assign(new Error(`Broken ${'x'.repeat(5_000)}`), {
      code: 'InternalError',
      status: 500,
      requestId: 'R'.repeat(5_000),
      ecCode: '0001',
      params: { content: Buffer.alloc(300_000, 'hunter2'), headers: { authorization: 'OSS id:hunter2' } },
      res: { data: 'hunter2' },
    });
    const mapped = fromOssError(error);
    const told = JSON.stringify(mapped) + String(mapped) + String(mapped.stack);
    expect(told.length).toBeLessThan(4_096);
    expect(JSON.stringify(mapped).length).toBeLessThan(2_048);
    expect(told).not.toMatch(/hunter2|params|authorization/);
    expect(JSON.stringify(fromOssError({ status: 502, message: XML_ERROR }))).not.toContain('secret page');
    const message = 'connect ECONNREFUSED, PUT https://x/?Signature=hunter2 -1 (connected: false)';
    expect(fromOssError({ status: -1, message }).diagnosis['said']).toBe('connect ECONNREFUSED');
  });
});
