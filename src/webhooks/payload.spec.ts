import { describe, expect, it } from 'vitest';
import type { JobOutput, JobState, NodeErrors } from '../comfy/index.js';
import { endBody, goneBody, type JobData, MAX_PAYLOAD_BYTES, progressBody } from './payload.js';

const BASE = 'https://pictures.example.com';
interface Read {
  type: string;
  timestamp: string;
  data: JobData & { error?: { code: string } };
}
const read = (text: string) => JSON.parse(text) as Read;

const output = (name: string): JobOutput => ({
  id: 'asset',
  key: name,
  node: '277',
  place: 'output',
  name,
  kind: 'image',
  type: 'image',
  contentType: 'image/png',
  size: 10,
  md5: '',
  url: `${BASE}/output_images/${name}`,
  expiresAt: null,
});

const state = (more: Partial<JobState>): JobState => ({
  id: 'job',
  status: 'succeeded',
  times: { created: 1_000, started: 1_010, rendered: 1_100, finished: 1_150 },
  attempts: [],
  outputs: [],
  ...more,
});

const NODE_ERRORS: NodeErrors = {
  '3': { class_type: 'KSampler', errors: [{ type: 't', message: 'm', details: '' }] },
};

describe('the payload', () => {
  it('tells what went wrong without ending the job', () => {
    const warnings = [{ code: 'output_missing', message: 'It is gone.', node: '9' }] as const;
    expect(read(endBody('job.succeeded', state({ warnings }), BASE)).data.warnings).toEqual([
      { code: 'output_missing', message: 'It is gone.', node_id: '9' },
    ]);
    expect(read(endBody('job.succeeded', state({}), BASE)).data).not.toHaveProperty('warnings');
  });

  it('of a success has the files as the reply has them', () => {
    expect(read(endBody('job.succeeded', state({ outputs: [output('a.png')] }), BASE))).toEqual({
      type: 'job.succeeded',
      timestamp: '1970-01-01T00:00:01.150Z',
      data: {
        job_id: 'job',
        job_url: `${BASE}/api/generate/job`,
        status: 'succeeded',
        outputs: [
          {
            index: 0,
            node_id: '277',
            kind: 'image',
            url: `${BASE}/output_images/a.png`,
            content_type: 'image/png',
            asset_id: 'asset',
            size: 10,
            filename: 'a.png',
            expires_at: null,
          },
        ],
        timings: { queued_ms: 10, rendering_ms: 90, storing_ms: 50, total_ms: 150 },
        attempts: 1,
      },
    });
  });

  it('of a failure says why', () => {
    const failure = {
      code: 'node_execution_error',
      message: 'no',
      nodeErrors: NODE_ERRORS,
      retryable: false,
    } as const;
    const { data } = read(endBody('job.failed', state({ status: 'failed', failure }), ''));
    expect(data.error).toEqual({ code: 'node_execution_error', message: 'no', node_errors: NODE_ERRORS });
    expect(data.outputs).toBeUndefined();
    expect(data.job_url).toBe('/api/generate/job');
  });

  it('of a job that was cancelled in line has spent all its time there', () => {
    const { data } = read(
      endBody(
        'job.cancelled',
        state({ status: 'cancelled', times: { created: 1_000, finished: 1_500 } }),
        BASE,
      ),
    );
    expect(data.error?.code).toBe('cancelled');
    expect(data.timings).toEqual({ queued_ms: 500, rendering_ms: 0, storing_ms: 0, total_ms: 500 });
  });

  it('of a job that is gone says that nobody knows', () => {
    expect(read(goneBody('job', BASE))).toMatchObject({
      type: 'job.failed',
      data: { error: { code: 'not_found' } },
    });
  });

  it('of progress says how far it is', () => {
    const progress = {
      value: 0.5,
      node: '3',
      class: undefined,
      step: 1,
      steps: 2,
      nodesDone: 1,
      nodesTotal: 3,
    };
    const { data } = read(progressBody(state({ status: 'running' }), progress, BASE));
    expect(data).toMatchObject({
      status: 'running',
      progress: { value: 0.5, node_id: '3', class_type: null },
    });
  });

  it('has a bound, and says so', () => {
    const outputs = Array.from({ length: 1_000 }, (_, index) => output(`${index}.png`));
    const body = endBody('job.succeeded', state({ outputs, nodeErrors: NODE_ERRORS }), BASE);
    expect(Buffer.byteLength(body)).toBeLessThanOrEqual(MAX_PAYLOAD_BYTES);
    const { data } = read(body);
    expect(data.truncated).toBe(true);
    expect(data.node_errors).toBeUndefined();
    expect(data.outputs?.length).toBeGreaterThan(50);
    expect(data.outputs?.[0]?.filename).toBe('0.png');

    const errors = [{ type: 't', message: 'x'.repeat(MAX_PAYLOAD_BYTES), details: '' }];
    const failure = {
      code: 'node_execution_error',
      message: 'no',
      nodeErrors: { '3': { class_type: 'K', errors } },
      retryable: false,
    } as const;
    expect(read(endBody('job.failed', state({ status: 'failed', failure }), BASE)).data).toMatchObject({
      error: { code: 'node_execution_error', message: 'no' },
      truncated: true,
    });
  });
});
