import type { HistoryEntry, JsonObject, QueueRow } from '../types.js';
import { isObject } from '../types.js';
import type { Context, Route } from './context.js';
import { sendJson, sendText } from './respond.js';

const STATUSES = ['pending', 'in_progress', 'completed', 'failed'];

/** Servers after 0.8.0 have a status of its own for what was interrupted. Source: `comfy_execution/jobs.py`. */
const statusesOf = (newer: boolean) => (newer ? [...STATUSES, 'cancelled'] : STATUSES);

/** What `/api/jobs` says of one prompt (25). */
type JobView = JsonObject & { id: string; status: string; create_time: number };

/** `GET /api/jobs`: the newest first; the checks and their words are those of ComfyUI. */
export const getJobs: Route = ({ response, query }, context) => {
  const refuse = (error: string) => sendJson(response, 400, { error });
  const wanted = (query.get('status') ?? '').split(',').filter((status) => status !== '');
  const known = statusesOf(context.options.newer);
  const wrong = wanted.filter((status) => !known.includes(status));
  if (wrong.length > 0) {
    return refuse(`Invalid status value(s): ${wrong.join(', ')}. Valid values: ${known.join(', ')}`);
  }
  const sortBy = query.get('sort_by') ?? 'created_at';
  if (sortBy !== 'created_at' && sortBy !== 'execution_duration') {
    return refuse("sort_by must be 'created_at' or 'execution_duration'");
  }
  const order = query.get('sort_order') ?? 'desc';
  if (order !== 'asc' && order !== 'desc') return refuse("sort_order must be 'asc' or 'desc'");
  const limit = query.get('limit');
  if (limit !== null && !/^-?\d+$/.test(limit)) return refuse('limit must be an integer');
  if (limit !== null && Number(limit) <= 0) return refuse('limit must be a positive integer');
  const workflowId = query.get('workflow_id');
  const found = allJobs(context)
    .filter(({ status }) => wanted.length === 0 || wanted.includes(status))
    .filter((job) => workflowId === null || job['workflow_id'] === workflowId)
    .sort((a, b) => (order === 'asc' ? 1 : -1) * (keyOf(a, sortBy) - keyOf(b, sortBy)));
  const offset = Number(query.get('offset') ?? 0);
  const jobs = found.slice(offset, limit === null ? undefined : offset + Number(limit));
  sendJson(response, 200, {
    jobs,
    pagination: {
      offset,
      limit: limit === null ? null : Number(limit),
      total: found.length,
      has_more: offset + jobs.length < found.length,
    },
  });
};

function keyOf(job: JobView, sortBy: 'created_at' | 'execution_duration'): number {
  if (sortBy === 'created_at') return job.create_time;
  const { execution_start_time: start, execution_end_time: end } = job;
  return typeof start === 'number' && typeof end === 'number' ? end - start : 0;
}

export const getJob: Route = ({ response, name }, context) => {
  const job = allJobs(context).find(({ id }) => id === name);
  if (job === undefined) return sendJson(response, 404, { error: 'Job not found' });
  const entry = context.worker.history.get(name);
  if (entry === undefined) return sendJson(response, 200, job);
  const [, , prompt, extra_data] = entry.prompt;
  const { outputs, status: execution_status } = entry;
  sendJson(response, 200, { ...job, outputs, execution_status, workflow: { prompt, extra_data } });
};

/** Servers newer than 0.8.0: stops a pending or running prompt, and touches no other. */
export const cancelJob: Route = ({ response, name }, { worker, executor }) => {
  const running = worker.running?.[1] === name;
  if (running) executor.interrupt();
  sendJson(response, 200, { cancelled: running || worker.remove(name) });
};

export const methodNotAllowed: Route = ({ response }) => {
  response.setHeader('Allow', 'GET,HEAD');
  sendText(response, 405, '405: Method Not Allowed');
};

function allJobs({ worker, options }: Context): JobView[] {
  const running = worker.running ? [view(worker.running, 'in_progress')] : [];
  const pending = worker.pending.list().map((row) => view(row, 'pending'));
  return [
    ...pending,
    ...running,
    ...[...worker.history.values()].map((entry) => viewOfEnded(entry, options.newer)),
  ];
}

function view([number, id, , extraData]: QueueRow, status: string): JobView {
  const info = extraData['extra_pnginfo'];
  const workflow = isObject(info) ? info['workflow'] : undefined;
  return {
    id,
    status,
    priority: number,
    create_time: extraData['create_time'] as number,
    outputs_count: 0,
    ...(isObject(workflow) && typeof workflow['id'] === 'string' ? { workflow_id: workflow['id'] } : {}),
  };
}

function viewOfEnded({ prompt, outputs, status }: HistoryEntry, newer: boolean): JobView {
  const interrupted = newer && status.messages.some(([event]) => event === 'execution_interrupted');
  const timeOf = (suffix: RegExp) =>
    status.messages.findLast(([event]) => suffix.test(event))?.[1]['timestamp'];
  const error = status.messages.find(([event]) => event === 'execution_error')?.[1];
  const shown = Object.entries(outputs).flatMap(([nodeId, output]) =>
    Object.entries(output).flatMap(([mediaType, list]) =>
      (Array.isArray(list) ? list : []).filter(isObject).map((file) => ({ ...file, nodeId, mediaType })),
    ),
  );
  const [first] = shown;
  return {
    ...view(prompt, status.completed ? 'completed' : interrupted ? 'cancelled' : 'failed'),
    execution_start_time: timeOf(/^execution_start$/),
    execution_end_time: timeOf(/^execution_(success|error|interrupted)$/),
    ...(error === undefined ? {} : { execution_error: error }),
    outputs_count: shown.length,
    ...(first === undefined ? {} : { preview_output: first }),
  };
}
