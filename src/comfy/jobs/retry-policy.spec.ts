import { describe, expect, it } from 'vitest';
import { StorageError } from '../../storage/index.js';
import { ComfyError, type ComfyErrorCode, type ComfyErrorReason } from '../comfy.error.js';
import type { JobAttempt } from './job.types.js';
import { judge } from './retry-policy.js';

const RULES = { maxAttempts: 3, avoidMs: 100 };
const tried = (code: ComfyErrorCode): JobAttempt => ({
  backend: 'gpu',
  at: 1,
  failure: { code, message: '', retryable: true },
});
const error = (code: ComfyErrorCode, reason?: ComfyErrorReason) =>
  new ComfyError(code, '', reason === undefined ? {} : { reason });

describe('judge', () => {
  it.each<ComfyErrorCode>(['no_backend', 'backend_lost'])('%s: again, elsewhere', (code) => {
    expect(judge(error(code), [], RULES)).toEqual({ again: true, counts: true, avoidMs: 100 });
    expect(judge(error(code), [tried(code)], RULES)).toEqual({ again: true, counts: true, avoidMs: 200 });
    expect(judge(error(code), [tried(code), tried(code)], RULES)).toEqual({ again: false });
  });

  it('a stall: once more, elsewhere', () => {
    expect(judge(error('job_stalled'), [], RULES)).toEqual({ again: true, counts: true, avoidMs: 100 });
    expect(judge(error('job_stalled'), [tried('job_stalled')], RULES)).toEqual({ again: false });
  });

  it.each<ComfyErrorCode>([
    'invalid_workflow',
    'workflow_format_ui',
    'output_node_not_found',
    'no_output',
    'queue_full',
    'node_execution_error',
    'interrupted',
    'cancelled',
    'job_timeout',
    'shutting_down',
  ])('%s: not again', (code) => {
    expect(judge(error(code), [], RULES)).toEqual({ again: false });
  });

  it('a cached output that is gone: again, without the cache', () => {
    expect(judge(error('backend_lost', 'output_gone'), [], RULES)).toEqual({
      again: true,
      counts: true,
      avoidMs: 0,
      free: 'cache',
    });
  });

  it('out of memory: once more, with the memory emptied', () => {
    expect(judge(error('out_of_memory'), [tried('backend_lost')], RULES)).toEqual({
      again: true,
      counts: true,
      avoidMs: 0,
      free: 'models',
    });
    expect(judge(error('out_of_memory'), [tried('out_of_memory')], RULES)).toEqual({ again: false });
  });

  it('a disk that may only be too small: once more, elsewhere', () => {
    const full = error('node_execution_error', 'disk');
    expect(judge(full, [], RULES)).toEqual({ again: true, counts: true, avoidMs: 100 });
    expect(judge(full, [tried('node_execution_error')], RULES)).toEqual({ again: false });
    expect(judge(error('node_execution_error', 'device'), [], RULES)).toEqual({ again: false });
  });

  it.each([
    error('backend_lost'),
    error('backend_lost', 'sick'),
    error('backend_lost', 'output_gone'),
    error('backend_lost', 'not_found_again'),
    error('no_backend', 'in_doubt'),
    error('job_stalled'),
    error('out_of_memory'),
    error('node_execution_error', 'disk'),
  ])('what may have been paid for is not tried again: $code $reason', (failure) => {
    expect(judge(failure, [], RULES, true)).toEqual({ again: false, paid: true });
  });

  it('what fails for good is not explained by its price', () => {
    expect(judge(error('node_execution_error'), [], RULES, true)).toEqual({ again: false });
  });

  it('not found again after a restart of ours: again, and it was no try', () => {
    const tries = [tried('backend_lost'), tried('backend_lost')];
    expect(judge(error('backend_lost', 'not_found_again'), tries, RULES)).toEqual({
      again: true,
      counts: false,
      avoidMs: 0,
    });
  });

  it('what storage says, and what nobody expected: not again', () => {
    expect(judge(new StorageError('storage_error', 'unavailable', '', true), [], RULES)).toEqual({
      again: false,
    });
    expect(judge(new TypeError('oops'), [], RULES)).toEqual({ again: false });
  });
});
