import { describe, expect, it } from 'vitest';
import { isAllowedOrigin, type OriginRules } from './allowed-origins.js';

const STUDIO = 'https://studio.example.com';
const OURS = 'https://pictures.example.com';

function allowed(headers: Record<string, string>, rules: Partial<OriginRules> = {}): boolean {
  const request = { headers: { host: 'gateway:3000', ...headers } };
  return isAllowedOrigin(request, { origins: undefined, baseUrl: undefined, ...rules });
}

describe('which pages may connect', () => {
  it('programs, and pages of this server', () => {
    expect(allowed({})).toBe(true);
    expect(allowed({ origin: 'http://gateway:3000' })).toBe(true);
    expect(allowed({ origin: OURS, 'x-forwarded-host': 'pictures.example.com' })).toBe(true);
    expect(allowed({ origin: OURS }, { baseUrl: `${OURS}/comfy` })).toBe(true);
    for (const host of ['10.1.2.3:3000', '[::1]:3000', 'localhost:3000']) {
      expect(allowed({ origin: `http://${host}`, host }, { baseUrl: OURS })).toBe(true);
    }
    for (const origin of [STUDIO, 'http://gateway:3001', 'null', 'nonsense', '']) {
      expect(allowed({ origin })).toBe(false);
    }
  });

  it('not a name that somebody made lead here, where this server knows its own', () => {
    const host = 'rebound.example.org:3000';
    expect(allowed({ origin: `http://${host}`, host }, { baseUrl: OURS })).toBe(false);
    expect(allowed({ origin: `http://${host}`, host, 'x-forwarded-host': host }, { baseUrl: OURS })).toBe(
      false,
    );
  });

  it('pages of the origins that are set, exactly', () => {
    expect(allowed({ origin: STUDIO }, { origins: [STUDIO] })).toBe(true);
    expect(allowed({ origin: 'http://studio.example.com' }, { origins: [STUDIO] })).toBe(false);
    expect(allowed({ origin: 'null' }, { origins: [STUDIO] })).toBe(false);
    expect(allowed({ origin: 'null' }, { origins: '*' })).toBe(true);
  });
});
