import type { ProblemCode, ProblemExtras } from '../problem/index.js';

interface ProblemExample extends ProblemExtras {
  detail: string;
}

const JOB_ID = '7b87c392-de65-410f-9557-0ac08ad2a975';

/** One answer for each code, as the service gives it. */
export const PROBLEM_EXAMPLES: Record<ProblemCode, ProblemExample> = {
  invalid_request: {
    detail: 'output_node_id: must be the id of a node: a string or a whole number',
    errors: [{ field: 'output_node_id', message: 'must be the id of a node: a string or a whole number' }],
  },
  unauthorized: { detail: 'Send the token of ADMIN_TOKEN: Authorization: Bearer …' },
  origin_not_allowed: {
    detail: 'Pages of this origin may not call this server. Its operator can allow them (CORS_ORIGINS).',
  },
  link_invalid: { detail: 'This link was not made here, or was changed on its way.' },
  not_found: { detail: 'There is nothing at this address. The addresses are listed at /docs.' },
  blob_not_found: { detail: 'No file with this hash is known here. Upload it with POST /api/v2/assets.' },
  method_not_allowed: { detail: 'Files can be read only (GET, HEAD).' },
  request_timeout: { detail: 'Nothing of the body arrived for 30 s. Send it again.' },
  cancelled: { detail: 'The job was cancelled before it was done.', job_id: JOB_ID },
  hash_mismatch: {
    detail:
      'The bytes that arrived do not have the hash in expected_hash. Nothing was kept; send them again.',
  },
  asset_in_use: { detail: 'A job that has not ended needs this asset.' },
  link_expired: { detail: 'This link was good for a limited time, which is over.' },
  precondition_failed: { detail: 'The file is not as If-Match or If-Unmodified-Since says.' },
  payload_too_large: { detail: 'The body is larger than this server takes (MAX_BODY_MB).' },
  unsupported_media_type: { detail: 'Send the body as JSON, with Content-Type: application/json.' },
  range_not_satisfiable: { detail: 'The file has 4752 bytes.' },
  host_not_allowed: {
    detail:
      'This server is not known under the name in the Host header. Its operator can add it (SERVER_BASE_URL, ALLOWED_HOSTS).',
  },
  invalid_workflow: {
    detail: 'ComfyUI refuses the workflow: Prompt outputs failed validation',
    job_id: JOB_ID,
    node_errors: {
      '4': {
        class_type: 'CheckpointLoaderSimple',
        errors: [
          {
            type: 'value_not_in_list',
            message: 'Value not in list',
            details: "ckpt_name: 'missing.safetensors' not in ['sd15.safetensors']",
            input: 'ckpt_name',
          },
        ],
      },
    },
  },
  workflow_format_ui: {
    detail:
      'This is a workflow as the ComfyUI page saves it ("nodes" and "links"); ComfyUI can only run the API format. In ComfyUI choose "Workflow > Export (API)" and send that file.',
  },
  output_node_not_found: {
    detail: 'There is no node "278" in the workflow. Nodes that save or preview here: 277 (SaveImage).',
  },
  no_output: {
    detail: 'The node made one file; there is no output_index 1. The last is 0.',
    job_id: JOB_ID,
  },
  result_too_large: {
    detail:
      'The file has 52428800 bytes, and an answer in JSON takes 33554432 (BASE64_MAX_MB). It is kept: fetch it from /output_images/video_1795460610911_0a1b2c3d4e5f.mp4.',
  },
  conversion_failed: {
    detail:
      'The picture was made, but not converted to jpeg: The image has 16 frames, and only WebP keeps them: convert it to webp. What was made is kept: GET /api/v2/assets/0a1b2c3d-0000-4000-8000-000000000000/content.',
    job_id: JOB_ID,
  },
  missing_asset: {
    detail:
      'workflow_data.10.inputs.image: There is no asset "0a1b2c3d-0000-4000-8000-000000000000". Upload it first.',
    errors: [
      {
        field: 'workflow_data.10.inputs.image',
        message: 'There is no asset "0a1b2c3d-0000-4000-8000-000000000000". Upload it first.',
      },
    ],
  },
  invalid_input: {
    detail: 'workflow_data.10.inputs.image: must be an image, and its bytes are application/pdf.',
    errors: [
      {
        field: 'workflow_data.10.inputs.image',
        message: 'must be an image, and its bytes are application/pdf.',
      },
    ],
  },
  input_unavailable: {
    detail: 'workflow_data.10.inputs.image: The URL was answered with 404.',
    job_id: JOB_ID,
    errors: [{ field: 'workflow_data.10.inputs.image', message: 'The URL was answered with 404.' }],
  },
  idempotency_key_reuse: {
    detail: 'This Idempotency-Key was used for another request. Send a new key, or the same request.',
  },
  webhooks_off: {
    detail: 'webhook_url: this server signs no webhooks, because its operator has not set WEBHOOK_SECRETS.',
  },
  too_many_requests: {
    detail: 'Too many bytes of unfinished bodies come from this address at once. Send fewer at a time.',
    retry_after: 5,
  },
  queue_full: { detail: '1000 jobs are waiting already. Try again in a moment.', retry_after: 5 },
  webhooks_full: {
    detail: 'Too many webhooks wait to be delivered. Try again later, or without webhook_url.',
    retry_after: 60,
  },
  too_many_streams: { detail: 'Too many watch jobs at once. Ask for the job instead.', retry_after: 5 },
  internal_error: { detail: 'This was not expected; the log of the server says more.' },
  node_execution_error: {
    detail: 'Node 3 (KSampler) failed: ValueError: the seed must not be negative',
    job_id: JOB_ID,
    node_errors: {
      '3': {
        class_type: 'KSampler',
        errors: [
          { type: 'execution_error', message: 'the seed must not be negative', details: 'ValueError' },
        ],
      },
    },
  },
  out_of_memory: {
    detail: 'Node 3 (KSampler) ran out of memory on the backend. Ask for smaller or fewer pictures.',
    job_id: JOB_ID,
  },
  interrupted: { detail: 'The job was interrupted on the backend by somebody else.', job_id: JOB_ID },
  backend_lost: { detail: 'The backend was lost while the job ran.', job_id: JOB_ID },
  output_rejected: {
    detail:
      'Node 9: It is not certain that this job made the file: it was written after the prompt ran. Save with SaveImage, or under a name that no other call uses.',
    job_id: JOB_ID,
  },
  storage_error: { detail: 'The output folder cannot be written to.', job_id: JOB_ID },
  state_error: {
    detail: 'The server cannot write down what it has to remember.',
    retry_after: 15,
  },
  overloaded: {
    detail: 'Too many bytes of unfinished bodies are held at once. Try again in a moment.',
    retry_after: 5,
  },
  no_backend: { detail: 'No ComfyUI can be reached at the moment. Try again later.', retry_after: 15 },
  shutting_down: { detail: 'The server is shutting down. Try again in a moment.', retry_after: 15 },
  job_timeout: { detail: 'The job took longer than 3600 s (JOB_TIMEOUT_S).', job_id: JOB_ID },
  job_stalled: {
    detail: 'The backend did not confirm for 600 s that it runs the job (JOB_STALL_S).',
    job_id: JOB_ID,
  },
  wait_timeout: {
    detail:
      'The result was not ready within 600 s (GENERATE_TIMEOUT_S). The job goes on; ask for it at job_url.',
    job_id: JOB_ID,
    job_url: `/api/generate/${JOB_ID}`,
    retry_after: 5,
  },
  storage_full: { detail: 'The disk of the output folder is full.', job_id: JOB_ID },
};
