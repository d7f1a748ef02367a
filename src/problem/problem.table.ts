/**
 * Every error code the HTTP faces can answer with: the one place where codes meet HTTP statuses.
 * Codes are never reused; `docs/errors.md` and the OpenAPI document are checked against this table.
 */
export const PROBLEMS = {
  invalid_request: { status: 400, title: 'The request is not valid' },
  unauthorized: { status: 401, title: 'A token is needed' },
  link_invalid: { status: 403, title: 'This link is not valid' },
  not_found: { status: 404, title: 'There is nothing here' },
  blob_not_found: { status: 404, title: 'No file with this hash is known' },
  method_not_allowed: { status: 405, title: 'This method is not allowed here' },
  cancelled: { status: 409, title: 'The job was cancelled' },
  hash_mismatch: { status: 409, title: 'The bytes do not have the hash that was announced' },
  asset_in_use: { status: 409, title: 'A job depends on this asset' },
  link_expired: { status: 410, title: 'This link has expired' },
  payload_too_large: { status: 413, title: 'The request body is too large' },
  unsupported_media_type: { status: 415, title: 'The body is of a type that is not supported' },
  range_not_satisfiable: { status: 416, title: 'The file has no such range' },
  invalid_workflow: { status: 422, title: 'ComfyUI refuses the workflow' },
  workflow_format_ui: {
    status: 422,
    title: 'The workflow is in the format of the ComfyUI page, not the API format',
  },
  output_node_not_found: { status: 422, title: 'The output node is not in the workflow' },
  no_output: { status: 422, title: 'The output node produced no file' },
  conversion_failed: { status: 422, title: 'The result could not be converted' },
  missing_asset: { status: 422, title: 'An asset that the workflow names is not there' },
  idempotency_key_reuse: { status: 422, title: 'The Idempotency-Key belongs to another request' },
  queue_full: { status: 429, title: 'The waiting line is full' },
  too_many_streams: { status: 429, title: 'Too many watch at once' },
  internal_error: { status: 500, title: 'Something went wrong on our side' },
  node_execution_error: { status: 502, title: 'A node of the workflow failed' },
  out_of_memory: { status: 502, title: 'The backend ran out of memory' },
  interrupted: { status: 502, title: 'The job was interrupted on the backend' },
  backend_lost: { status: 502, title: 'The backend was lost while the job ran' },
  storage_error: { status: 502, title: 'The result could not be stored' },
  state_error: { status: 503, title: 'The server cannot write down what it has to remember' },
  no_backend: { status: 503, title: 'No backend can be reached' },
  shutting_down: { status: 503, title: 'The server is shutting down' },
  job_timeout: { status: 504, title: 'The job took too long' },
  job_stalled: { status: 504, title: 'The job showed no progress' },
  wait_timeout: { status: 504, title: 'The result was not ready within the wait limit' },
  storage_full: { status: 507, title: 'The disk is full' },
} as const satisfies Record<string, { status: number; title: string }>;

export type ProblemCode = keyof typeof PROBLEMS;
