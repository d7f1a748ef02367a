import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { FIELD_DOCS } from './fields.js';
import { readSettings, SettingsError } from './settings.js';
import { SETTINGS_SCHEMA } from './settings.schema.js';

const OSS = {
  OSS_ACCESS_KEY_ID: 'LTAI-key-id',
  OSS_ACCESS_KEY_SECRET: 'very-secret-value',
  OSS_ENDPOINT: 'oss-cn-hangzhou.aliyuncs.com',
  OSS_BUCKET_NAME: 'pictures',
};

const mistakesOf = (env: Record<string, string>): readonly string[] => {
  try {
    readSettings(env);
    return [];
  } catch (error) {
    if (error instanceof SettingsError) return error.mistakes;
    throw error;
  }
};

describe('readSettings', () => {
  it('needs nothing', () => {
    const settings = readSettings({});
    expect(settings.server).toMatchObject({ port: 3000, host: '0.0.0.0', baseUrl: undefined });
    expect(settings.comfy.backends).toEqual([
      { name: '127.0.0.1:8188', url: 'http://127.0.0.1:8188', headers: {}, query: {} },
    ]);
    expect(settings.generate.waitLimitMs).toBe(600_000);
    expect(settings.comfy.maxQueue).toBe(1_000);
    expect(settings.storage.directory).toBe('output_images');
  });

  it('treats empty as not set', () => {
    expect(readSettings({ PORT: '', SERVER_BASE_URL: ' ' }).server).toMatchObject({
      port: 3000,
      baseUrl: undefined,
    });
  });

  it('lists every mistake at once, with the name, what was read and what is accepted', () => {
    const mistakes = mistakesOf({
      PORT: '99999',
      ENABLE_OSS: 'maybe',
      COMFYUI_SERVER: 'ftp://x',
      LOG_LEVEL: 'loud',
    });
    expect(mistakes).toEqual([
      'PORT: read "99999", which is more than 65535; accepted: a whole number from 0 to 65535',
      'LOG_LEVEL: read "loud", which is none of these; accepted: error, warn, log, debug, verbose',
      expect.stringMatching(
        /^COMFYUI_SERVER: read "ftp:\/\/x", which has the scheme ftp:\/\/.*; accepted: host:port/,
      ),
      'ENABLE_OSS: read "maybe", which is neither; accepted: true or false',
    ]);
  });

  it('does not repeat secrets in a mistake', () => {
    const all = [
      ...mistakesOf({ COMFYUI_HEADERS: 'no colon but secret-token' }),
      ...mistakesOf({ LINK_SECRETS: 'a:too-short-secret' }),
      ...mistakesOf({ COMFYUI_SERVER: 'https://user:pass-word@host/?token=abc#frag' }),
    ].join('\n');
    expect(all).toContain('(hidden, 25 characters)');
    expect(all).not.toMatch(/secret-token|too-short-secret|pass-word|token=abc/);
  });

  it('falls back to local storage with one warning that names what is missing', () => {
    const { storage, warnings } = readSettings({ ...OSS, OSS_BUCKET_NAME: '', OSS_ENDPOINT: '' });
    expect(storage.oss).toBeUndefined();
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toContain('OSS_ENDPOINT, OSS_BUCKET_NAME are not set');
    expect(warnings[0]).not.toContain('very-secret-value');
  });

  it('says nothing where nobody asked for OSS, and something where it was asked for', () => {
    expect(readSettings({}).warnings).toEqual([]);
    expect(readSettings({ OSS_ENDPOINT: '', OSS_BUCKET_NAME: ' ' }).warnings).toEqual([]);
    expect(readSettings({ ENABLE_OSS: 'true' }).warnings).toHaveLength(1);
  });

  it('says nothing where OSS is off', () => {
    expect(readSettings({ ...OSS, ENABLE_OSS: 'false' })).toMatchObject({
      warnings: [],
      storage: { oss: undefined },
    });
  });

  it('takes a whole OSS', () => {
    expect(readSettings({ ...OSS, OSS_BASE_PATH: '/a//b' }).storage.oss).toMatchObject({
      bucket: 'pictures',
      basePath: 'a/b/',
      urlMode: 'auto',
      signatureVersion: 'v4',
    });
  });

  it('refuses a 30-day URL that OSS would refuse later', () => {
    expect(mistakesOf({ ...OSS, OSS_URL_MODE: 'direct' })).toEqual([
      expect.stringContaining('7 days at most'),
    ]);
    expect(mistakesOf({ ...OSS, OSS_URL_MODE: 'direct', OSS_SIGNATURE_VERSION: 'v1' })).toEqual([]);
  });

  it.each(['../x', 'a\\b', 'a/../b', '?x'])('refuses OSS_BASE_PATH %s', (path) => {
    expect(mistakesOf({ ...OSS, OSS_BASE_PATH: path })).toHaveLength(1);
  });

  it('gives one set of headers to all servers, or each its own', () => {
    const two = 'a:1,b:2';
    const headersOf = (headers: string) =>
      readSettings({ COMFYUI_SERVER: two, COMFYUI_HEADERS: headers }).comfy.backends.map(
        ({ headers }) => headers,
      );
    expect(headersOf('X-Key: 1; X-Other: a: b')).toEqual([
      { 'x-key': '1', 'x-other': 'a: b' },
      { 'x-key': '1', 'x-other': 'a: b' },
    ]);
    expect(headersOf('X-Key: 1|')).toEqual([{ 'x-key': '1' }, {}]);
    expect(mistakesOf({ COMFYUI_SERVER: two, COMFYUI_HEADERS: 'A: 1|B: 2|C: 3' })).toHaveLength(1);
  });

  it('warns once of webhooks whose URLs have no host', () => {
    const WEBHOOK_SECRETS = `whsec_${Buffer.alloc(32, 1).toString('base64')}`;
    const warnings = (env: Record<string, string>) => readSettings({ ENABLE_OSS: 'false', ...env }).warnings;
    expect(warnings({ WEBHOOK_SECRETS })).toEqual([
      expect.stringMatching(/^WEBHOOK_SECRETS .*SERVER_BASE_URL /),
    ]);
    expect(warnings({ WEBHOOK_SECRETS, SERVER_BASE_URL: 'https://a.example' })).toEqual([]);
    expect(warnings({})).toEqual([]);
  });

  it('refuses a server named twice', () => {
    expect(mistakesOf({ COMFYUI_SERVER: 'gpu:8188,http://gpu:8188/' })).toHaveLength(1);
  });
});

describe('STATE_DIR', () => {
  it.each(['out', 'out/', './out/state', 'out/../out/x'])('may not be served: %s', (STATE_DIR) => {
    expect(() => readSettings({ OUTPUT_DIR: 'out', STATE_DIR })).toThrow(/STATE_DIR: read .*served/);
  });

  it.each(['state', 'output', '..'])('may lie elsewhere: %s', (STATE_DIR) => {
    expect(readSettings({ OUTPUT_DIR: 'out', STATE_DIR }).state.directory).toBe(STATE_DIR);
  });
});

describe('.env.example', () => {
  const lines = readFileSync(new URL('../../.env.example', import.meta.url), 'utf8').split('\n');
  const documented = lines.flatMap((line, index) => {
    const match = /^(?:# )?([A-Z][A-Z0-9_]*)=(.*)$/.exec(line);
    return match?.[1] === undefined
      ? []
      : [{ name: match[1], value: match[2] ?? '', above: lines[index - 1] ?? '' }];
  });

  it('has every setting once, and no other', () => {
    expect(documented.map(({ name }) => name).sort()).toEqual(Object.keys(SETTINGS_SCHEMA.shape).sort());
  });

  it('explains each in the line above', () => {
    for (const { name, above } of documented) expect(above, name).toMatch(/^# .{10,}/);
  });

  it('shows the defaults, and values that are accepted', () => {
    for (const { name, value } of documented) {
      const fallback = FIELD_DOCS.get(
        SETTINGS_SCHEMA.shape[name as keyof typeof SETTINGS_SCHEMA.shape],
      )?.fallback;
      if (fallback !== undefined) expect(value, name).toBe(fallback);
    }
    const asWritten = Object.fromEntries(documented.map(({ name, value }) => [name, value]));
    expect(mistakesOf(asWritten)).toEqual([]);
  });
});
