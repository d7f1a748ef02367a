import { describe, expect, it } from 'vitest';
import { errorText } from '../output.js';
import { pathIn } from '../save/target.js';
import { isLasting, networkCode } from './network-error.js';
import { isEndOfJob, jobFailure, readProblem, refusal } from './problem.js';
import { backoffMs, retryAfterS } from './retry.js';

const plain = (text: string) => text;

describe('problems', () => {
  it('are read from problem documents, from the envelope, and from what proxies write', () => {
    const document = { code: 'queue_full', title: 'The line is full', detail: 'It is.', status: 429 };
    expect(readProblem(429, JSON.stringify(document), 5)).toEqual({ ...document, retry_after: 5 });
    const envelope = { error: { code: 'not_found', message: 'No job.', details: { job_id: 'x' } } };
    expect(readProblem(404, JSON.stringify(envelope), undefined)).toEqual({
      status: 404,
      code: 'not_found',
      detail: 'No job.',
      job_id: 'x',
    });
    const page = readProblem(502, '<html>secret of a proxy</html>', undefined);
    expect(page).toMatchObject({ status: 502, code: 'no_problem_document' });
    expect(page.detail).not.toContain('secret');
  });

  it.each([
    [400, 'invalid_request', 3],
    [401, 'unauthorized', 3],
    [413, 'payload_too_large', 3],
    [422, 'workflow_format_ui', 3],
    [429, 'queue_full', 5],
    [500, 'internal_error', 5],
    [503, 'no_backend', 5],
    [507, 'storage_full', 5],
    [404, 'no_problem_document', 3],
    [502, 'no_problem_document', 5],
  ])('at the door %i %s is exit code %i', (status, code, exit) => {
    expect(refusal({ status, code, detail: 'x' }).exit).toBe(exit);
  });

  it.each([
    [422, 'invalid_workflow', 3],
    [422, 'missing_asset', 3],
    [422, 'no_output', 4],
    [409, 'cancelled', 4],
    [502, 'node_execution_error', 4],
    [503, 'no_backend', 4],
    [504, 'job_timeout', 4],
    [404, 'not_found', 4],
  ])('as the end of a job %i %s is exit code %i', (status, code, exit) => {
    expect(jobFailure({ status, code, detail: 'x', job_id: 'y' }).exit).toBe(exit);
  });

  it('with an address tell that the job goes on', () => {
    expect(isEndOfJob({ code: 'wait_timeout', detail: '', job_id: 'x', job_url: '/x' })).toBe(false);
    expect(isEndOfJob({ code: 'no_backend', detail: '' })).toBe(false);
    expect(isEndOfJob({ code: 'no_backend', detail: '', job_id: 'x' })).toBe(true);
  });

  it('are told with nodes, inputs and fields', () => {
    const problem = {
      status: 422,
      code: 'invalid_workflow',
      detail: 'ComfyUI refuses the workflow.',
      job_id: 'j',
      node_errors: {
        '2': {
          class_type: 'SaveImage',
          errors: [{ message: 'Mismatch', details: 'LATENT', input: 'images' }],
        },
      },
      errors: [{ field: 'priority', message: 'must be 100 or less' }],
    };
    expect(errorText(refusal(problem), plain).split('\n')).toEqual([
      'Error: ComfyUI refuses the workflow. [invalid_workflow, job j]',
      '  node 2 (SaveImage), input images: Mismatch: LATENT',
      '  priority must be 100 or less',
      'Correct what is named above; what is missing has to be installed on ComfyUI.',
      '',
    ]);
  });
});

describe('trying again', () => {
  it('waits longer each time, within bounds', () => {
    const waits = Array.from({ length: 20 }, (_, tries) => backoffMs(tries));
    expect(waits[0]).toBeLessThan(1_000);
    expect(Math.max(...waits)).toBeLessThanOrEqual(12_500);
    expect(Math.min(...waits)).toBeGreaterThan(0);
  });

  it.each<[string | undefined, number | undefined]>([
    [undefined, undefined],
    ['7', 7],
    ['0', 0],
    ['99999', 120],
    ['Thu, 01 Jan 1970 00:00:09 GMT', 9],
    ['Wed, 31 Dec 1969 23:59:00 GMT', 0],
    ['soon', undefined],
  ])('Retry-After %s is %s s', (header, seconds) => expect(retryAfterS(header, 0)).toBe(seconds));

  it('knows errors of the network, within others too, and no others', () => {
    const refused = Object.assign(new Error('x'), { code: 'ECONNREFUSED' });
    expect(networkCode(new TypeError('fetch failed', { cause: refused }))).toBe('ECONNREFUSED');
    expect(networkCode(new AggregateError([refused]))).toBe('ECONNREFUSED');
    expect(networkCode(Object.assign(new Error('x'), { code: 'ENOSPC' }))).toBeUndefined();
    expect(networkCode(new TypeError('x is not a function'))).toBeUndefined();
    expect([isLasting('ENOTFOUND'), isLasting('ECONNRESET')]).toEqual([true, false]);
  });
});

describe('names of files that come from outside', () => {
  it.each([
    ['image_1.png', 'out/image_1.png'],
    ['../../etc/passwd', 'out/passwd'],
    ['..\\..\\evil.exe', 'out/evil.exe'],
    ['.bashrc', 'out/bashrc'],
    ['..', 'out/file'],
    ['a\nb.png', 'out/a_b.png'],
  ])('%j becomes %s', (name, path) => expect(pathIn('out', name)).toBe(path));
});
