import type { ExecutionFailure } from './messages.js';

/**
 * What the class of a Python exception says: the memory of the device did not suffice; the device or the disk may be broken, which
 * only a health check can tell; or neither.
 */
export type ExceptionKind = 'out_of_memory' | 'device' | 'disk' | 'node';

/** As ComfyUI names classes: module and class, built-in ones without a module (05a, 05b; `execution.py`, `full_type_name`). */
const OUT_OF_MEMORY: ReadonlySet<string> = new Set([
  'torch.OutOfMemoryError',
  'torch.cuda.OutOfMemoryError',
  'torch.cuda.memory.OutOfMemoryError',
  'torch._C.OutOfMemoryError',
]);

const DEVICE: ReadonlySet<string> = new Set([
  'torch.AcceleratorError',
  'torch._C.AcceleratorError',
  'torch.cuda.CudaError',
  'torch.cuda.DeferredCudaCallError',
]);

/** How PyTorch before 2.8 begins the message of an error of the device, whose class is `RuntimeError`. */
const DEVICE_WORDS = /^(?:CUDA|HIP) error: /;

const DISK: ReadonlySet<string> = new Set([
  'OSError',
  'PermissionError',
  'av.error.OSError',
  'av.error.PermissionError',
]);

/** The errno that Python itself puts in front: no access, I/O error, no space, read-only, quota. */
const DISK_WORDS = /^\[Errno (?:5|13|28|30|122)\] /;

/**
 * Classifies by the class. The words that PyTorch and Python put in front of a message only narrow down when the backend is checked:
 * they decide nothing, because a node may quote its caller.
 */
export function exceptionKind({ exceptionType, exceptionMessage }: ExecutionFailure): ExceptionKind {
  if (OUT_OF_MEMORY.has(exceptionType)) return 'out_of_memory';
  if (DEVICE.has(exceptionType)) return 'device';
  if (exceptionType === 'RuntimeError' && DEVICE_WORDS.test(exceptionMessage)) return 'device';
  if (DISK.has(exceptionType) && DISK_WORDS.test(exceptionMessage)) return 'disk';
  return 'node';
}
