import { describe, expect, it } from 'vitest';
import { BackendError } from './backend.error.js';
import { explainUnreachable, type Probe } from './reachability.js';

const error = (code: string) =>
  new BackendError('broken', 'x', undefined, Object.assign(new Error('secret.example'), { code }));
const answer = (status: number, more: Partial<Probe> = {}): Probe => ({
  status,
  html: false,
  comfyui: false,
  ...more,
});

describe('why a server cannot be reached', () => {
  it.each([
    ['ECONNREFUSED', 'connection refused', '8188'],
    ['ENOTFOUND', 'unknown host name', 'COMFYUI_SERVER'],
    ['EAI_AGAIN', 'cannot be resolved', 'network'],
    ['EHOSTUNREACH', 'no route', 'network'],
    ['UND_ERR_CONNECT_TIMEOUT', 'no answer in time', 'firewalls'],
    ['DEPTH_ZERO_SELF_SIGNED_CERT', 'not trusted', 'NODE_EXTRA_CA_CERTS'],
    ['SELF_SIGNED_CERT_IN_CHAIN', 'not trusted', 'NODE_EXTRA_CA_CERTS'],
    ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'not trusted', 'NODE_EXTRA_CA_CERTS'],
    ['CERT_HAS_EXPIRED', 'expired', 'clock'],
    ['ERR_TLS_CERT_ALTNAME_INVALID', 'another host name', 'host name'],
    ['ERR_SSL_WRONG_VERSION_NUMBER', 'not speak TLS', 'http://'],
    ['HPE_INVALID_CONSTANT', 'not speak HTTP', 'https://'],
    ['ECONNRESET', 'connection breaks', 'proxy'],
  ])('%s: %s', (code, short, advice) => {
    const found = explainUnreachable(error(code), undefined);
    expect(found.short).toContain(short);
    expect(found.message).toContain(advice);
    expect(found.message).not.toContain('secret');
  });

  it.each([
    [
      new BackendError(
        'unreachable',
        'x',
        undefined,
        Object.assign(new Error('x'), { code: 'ECONNREFUSED' }),
      ),
      true,
    ],
    [error('ECONNRESET'), false],
    [answer(502), true],
    [answer(503), true],
    [answer(401), false],
  ])('%j: does nobody listen there? %s', (found, refused) => {
    expect(explainUnreachable(found, undefined).refused).toBe(refused);
  });

  it('an attempt at several addresses', () => {
    const first = Object.assign(new Error('x'), { code: 'ECONNREFUSED' });
    const failed = new BackendError('unreachable', 'x', undefined, new AggregateError([first]));
    expect(explainUnreachable(failed, undefined).short).toBe('connection refused');
  });

  it.each([
    [answer(401), undefined, 'access denied (401)', 'COMFYUI_HEADERS'],
    [answer(403), undefined, 'access denied (403)', 'Origin'],
    [answer(302), undefined, 'redirected (302)', 'login page'],
    [answer(200, { html: true }), undefined, 'a web page answers', 'login page'],
    [answer(404, { html: true }), undefined, 'not a ComfyUI (status 404)', 'port and the path'],
    [answer(200), undefined, 'not a ComfyUI (status 200)', 'port and the path'],
    [answer(502, { html: true }), undefined, 'answered with 502', 'proxy'],
    [answer(200, { comfyui: true }), 403, 'WebSocket is refused (403)', 'Origin'],
    [answer(200, { comfyui: true }), 404, 'WebSocket cannot be opened (404)', 'upgrades'],
    [answer(200, { comfyui: true }), undefined, 'WebSocket cannot be opened', 'upgrades'],
  ])('%j, handshake %s: %s', (found, socketStatus, short, advice) => {
    const { short: said, message } = explainUnreachable(found, socketStatus);
    expect(said).toContain(short);
    expect(message).toContain(advice);
  });
});
