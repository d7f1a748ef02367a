import { describe, expect, it } from 'vitest';
import { redact, withoutPaths } from './redact.js';

it.each([
  ["No such file: '/srv/ComfyUI/models/a.safetensors'", "No such file: '…/a.safetensors'"],
  ['C:\\ComfyUI\\models\\a.ckpt is gone', '…/a.ckpt is gone'],
  ['and/or 1/2', 'and/or 1/2'],
  ["ckpt_name: 'x' not in ['sd/a.ckpt']", "ckpt_name: 'x' not in ['sd/a.ckpt']"],
])('%s', (text, safe) => {
  expect(redact(text)).toBe(safe);
});

it('cuts what is long', () => {
  expect(redact('x'.repeat(5_000)).length).toBeLessThanOrEqual(1_001);
});

describe('paths of another machine', () => {
  it.each([
    ['/srv/ComfyUI/output/a.png', '…/a.png'],
    ['saved to:/srv/ComfyUI/output/a.png.', 'saved to:…/a.png.'],
    ['file:///srv/ComfyUI/output/a.png', '…/a.png'],
    ['//srv/ComfyUI/a.png', '…/a.png'],
    ['(/home/me/My Models/sub dir/a.png)', '(…/a.png)'],
    ['["/srv/ComfyUI/a.png","/srv/ComfyUI/b.png"]', '["…/a.png","…/b.png"]'],
    ['路径/srv/ComfyUI/输出/图.png', '路径…/图.png'],
    ['C:/Users/me/ComfyUI/a.png', '…/a.png'],
    ['C:\\Program Files\\ComfyUI\\a.png', '…/a.png'],
    ['{"path":"C:\\\\ComfyUI\\\\a.png"}', '{"path":"…/a.png"}'],
    ['\\\\nas\\renders\\a.png', '…/a.png'],
    ['\\\\?\\C:\\ComfyUI\\a.png', '…/a.png'],
    ['{"path":"\\\\\\\\nas\\\\renders\\\\a.png"}', '{"path":"…/a.png"}'],
    ['copied /srv/a/x.png to /srv/b/y.png', 'copied …/x.png to …/y.png'],
    ['/srv/a/x.png and C:\\y\\z.png', '…/x.png and …/z.png'],
    ['PATH=/usr/local/bin:/usr/bin/x', 'PATH=…/bin:…/x'],
  ])('%s', (text, safe) => {
    expect(withoutPaths(text)).toBe(safe);
  });

  it.each([
    'https://example.com/a/b.png',
    'see http://127.0.0.1:8188/view/x/y',
    'and/or, 1/2/3, n/a',
    './a/b.png ../c/d',
    'a \\ b, \\n, x\\y',
    'ratio 16:9, at 10:30',
    '</p><br/>',
    'models/sd/a.ckpt',
  ])('not: %s', (text) => {
    expect(withoutPaths(text)).toBe(text);
  });

  it('is linear in the length of the text', () => {
    for (const piece of ['/a', '/a ', ' a/', '\\\\', 'C:\\a ', ' /', 'a a a a/', ':/', '/'])
      expect(withoutPaths(piece.repeat(100_000)).length).toBeGreaterThan(0);
  });
});

it('reads the first 65,536 characters only, and shows nothing of a path that ends behind them', () => {
  expect(redact('x '.repeat(4_000_000))).toBe(`${'x '.repeat(500)}…`);
  const redacted = redact(`not found: /${'secret/'.repeat(20_000)}model.safetensors`);
  expect(redacted).toBe('not found: …');
});
