import { describe, expect, it } from 'vitest';
import { executionError } from '../client/run.error.js';
import { ComfyError, type ComfyErrorCode, type ComfyErrorReason } from '../comfy.error.js';
import { classifyFault, type FaultKind } from './faults.js';
import { LostJobs } from './lost-jobs.js';

const error = (code: ComfyErrorCode, reason?: ComfyErrorReason) =>
  new ComfyError(code, 'CUDA error: out of memory', reason === undefined ? {} : { reason });

describe('what an error says about the backend', () => {
  it.each<[unknown, FaultKind]>([
    [error('no_backend'), 'transport'],
    [error('no_backend', 'in_doubt'), 'transport'],
    [error('no_backend', 'disk'), 'disk'],
    [error('backend_lost'), 'transport'],
    [error('backend_lost', 'sick'), 'none'],
    [error('backend_lost', 'output_gone'), 'none'],
    [error('backend_lost', 'struck'), 'none'],
    [error('backend_lost', 'not_found_again'), 'none'],
    [error('job_stalled'), 'stalled'],
    [error('job_stalled', 'not_begun'), 'stalled'],
    [error('job_timeout'), 'none'],
    [error('interrupted'), 'none'],
    [error('cancelled'), 'none'],
    [error('no_output'), 'none'],
    [error('node_execution_error'), 'works'],
    [error('node_execution_error', 'device'), 'device'],
    [error('node_execution_error', 'disk'), 'disk'],
    [error('invalid_workflow'), 'works'],
    [error('out_of_memory'), 'works'],
    [new Error('CUDA error: oops'), 'none'],
  ])('%s %#: %s', (thrown, kind) => {
    expect(classifyFault(thrown)).toBe(kind);
  });
});

describe('what an exception says', () => {
  const kindOf = (exceptionType: string, exceptionMessage: string) =>
    classifyFault(executionError({ node: '2', nodeType: 'X', exceptionType, exceptionMessage }));
  const codeOf = (exceptionType: string, exceptionMessage: string) =>
    executionError({ node: '2', nodeType: 'X', exceptionType, exceptionMessage }).code;

  it.each([
    ['torch.AcceleratorError', 'CUDA error: an illegal memory access was encountered', 'device'],
    ['RuntimeError', 'CUDA error: no kernel image is available for execution on the device', 'device'],
    ['RuntimeError', 'HIP error: invalid device function', 'device'],
    ['OSError', "[Errno 28] No space left on device: '/srv/out/a.png'", 'disk'],
    ['OSError', '[Errno 30] Read-only file system', 'disk'],
    ['OSError', '[Errno 5] Input/output error', 'disk'],
    ['OSError', '[Errno 122] Disk quota exceeded', 'disk'],
    ['PermissionError', "[Errno 13] Permission denied: '/srv/out'", 'disk'],
    ['av.error.OSError', "[Errno 28] No space left on device: 'v.mp4'", 'disk'],
  ] as const)('%s: %s asks for a health check (%s)', (type, message, kind) => {
    expect(kindOf(type, message)).toBe(kind);
    expect(codeOf(type, message)).toBe('node_execution_error');
  });

  it.each([
    ['OSError', "[Errno 36] File name too long: '/out/CUDA error: xxx.png'"],
    ['OSError', "[Errno 36] File name too long: '/out/[Errno 28] out of memory.png'"],
    ['ValueError', 'CUDA error: device-side assert triggered'],
    ['ValueError', '[Errno 28] No space left on device'],
    ['RuntimeError', 'the prompt says: CUDA error: illegal memory access'],
    ['RuntimeError', 'out of memory'],
    ['MyOutOfMemoryError', 'out of memory'],
    ['FileNotFoundError', "[Errno 2] No such file or directory: 'out of memory'"],
    ['', ''],
  ])('%s: %s is the job’s own', (type, message) => {
    expect(kindOf(type, message)).toBe('works');
    expect(codeOf(type, message)).toBe('node_execution_error');
  });

  it.each(['torch.OutOfMemoryError', 'torch.cuda.OutOfMemoryError'])(
    '%s: the memory did not suffice',
    (type) => {
      expect(codeOf(type, 'Allocation on device')).toBe('out_of_memory');
    },
  );
});

describe('a job that is lost', () => {
  it('counts once, wherever it is tried again', () => {
    const jobs = new LostJobs();
    expect([jobs.add('a'), jobs.add('a'), jobs.add('b'), jobs.add('a')]).toEqual([true, false, true, false]);
  });
});
