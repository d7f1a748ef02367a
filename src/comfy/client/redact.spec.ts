import { expect, it } from 'vitest';
import { redact } from './redact.js';

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
