import { randomUUID } from 'node:crypto';
import { float, int, parseJson, str } from '../python.js';
import { isObject, type Graph, type JsonObject } from '../types.js';
import type { Context, Route } from './context.js';
import { sendEmpty, sendJson } from './respond.js';

const CANONICAL_ID = /^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/;

/** Throws for what is not JSON, which aiohttp turns into a 500 (04). */
function parse(body: Buffer): JsonObject {
  const parsed = parseJson(body.toString());
  if (!isObject(parsed)) throw new TypeError('the body is not a JSON object');
  return parsed;
}

/** `/interrupt` and `/free` shrug at a body that is not JSON. */
function parseLeniently(body: Buffer): JsonObject {
  try {
    return parse(body);
  } catch {
    return {};
  }
}

/** An explicit number does not use up one of the server's; `front` negates it (22). */
function takeNumber(body: JsonObject, { worker }: Context): number {
  if ('number' in body) return float(body['number']);
  const number = worker.nextNumber++;
  return body['front'] ? -number : number;
}

export const postPrompt: Route = async ({ response, body }, context) => {
  const { dialect, worker, validator, faults, timers, options } = context;
  const json = parse(body);
  const number = takeNumber(json, context);
  if (!('prompt' in json)) {
    sendJson(response, 400, { error: dialect.noPromptError, node_errors: dialect.emptyNodeErrors() });
    return;
  }
  const given = dialect.honoursPromptId ? json['prompt_id'] : undefined;
  const chosen = options.newer && given === null ? undefined : given;
  const promptId = chosen === undefined ? randomUUID() : str(chosen);
  if (options.newer && typeof chosen === 'string' && !CANONICAL_ID.test(chosen)) {
    const message = 'prompt_id must be a canonical lower-case UUID';
    const error = { type: 'invalid_prompt_id', message, details: chosen, extra_info: {} };
    return sendJson(response, 400, { error, node_errors: {} });
  }
  const targets = dialect.honoursPromptId ? json['partial_execution_targets'] : undefined;
  const verdict = validator.validate(json['prompt'], Array.isArray(targets) ? targets.map(str) : undefined);
  if (!verdict.ok) {
    sendJson(response, 400, { error: verdict.error, node_errors: verdict.nodeErrors });
    return;
  }
  const extraData = isObject(json['extra_data']) ? json['extra_data'] : {};
  if ('client_id' in json) extraData['client_id'] = json['client_id'];
  if (dialect.marksExtraData) {
    for (const secret of ['auth_token_comfy_org', 'api_key_comfy_org']) delete extraData[secret];
    extraData['create_time'] = Date.now();
  }
  const outputs = options.outputOrder === 'descending' ? verdict.outputs.toReversed() : verdict.outputs;
  if (!faults.takeSwallow()) worker.put([number, promptId, json['prompt'] as Graph, extraData, outputs]);
  // Reply and first events race; old recordings show the events winning (05a, 13).
  if (options.replyDelayMs > 0) await timers.sleep(options.replyDelayMs);
  sendJson(response, 200, { prompt_id: promptId, number, node_errors: verdict.nodeErrors });
};

export const getPrompt: Route = ({ response }, { worker }) => {
  sendJson(response, 200, { exec_info: { queue_remaining: worker.remaining } });
};

export const getQueue: Route = ({ response }, { worker }) => {
  const running = worker.running ? [worker.running] : [];
  sendJson(response, 200, { queue_running: running, queue_pending: worker.pending.list() });
};

export const postQueue: Route = ({ response, body }, { worker }) => {
  const json = parse(body);
  if (json['clear']) worker.wipe();
  if (Array.isArray(json['delete'])) for (const id of json['delete']) worker.remove(str(id));
  sendEmpty(response, 200);
};

export const getHistory: Route = ({ response, query }, { worker }) => {
  const entries = [...worker.history];
  const wanted = query.get('max_items');
  const offset = Number(query.get('offset') ?? -1);
  const count = wanted === null ? entries.length : int(wanted);
  const start = offset >= 0 ? offset : Math.max(0, entries.length - count);
  sendJson(response, 200, Object.fromEntries(entries.slice(start, start + count)));
};

/** `{}` for unknown, pending, running and lost alike (18, 08). */
export const getHistoryOf: Route = ({ response, name }, { worker }) => {
  const entry = worker.history.get(name);
  sendJson(response, 200, entry === undefined ? {} : { [name]: entry });
};

export const postHistory: Route = ({ response, body }, { worker }) => {
  const json = parse(body);
  if (json['clear']) worker.history.clear();
  if (Array.isArray(json['delete'])) for (const id of json['delete']) worker.history.delete(str(id));
  sendEmpty(response, 200);
};

/** With an id only the prompt that runs under it stops; without one, or on an old server, whatever runs (07). */
export const postInterrupt: Route = ({ response, body }, { dialect, worker, executor }) => {
  const wanted = parseLeniently(body)['prompt_id'];
  const targeted = dialect.targetedInterrupt && wanted !== undefined && wanted !== null && wanted !== '';
  if (!targeted || worker.running?.[1] === str(wanted)) executor.interrupt();
  sendEmpty(response, 200);
};

export const postFree: Route = ({ response, body }, { worker }) => {
  const json = parseLeniently(body);
  worker.free(Boolean(json['unload_models']), Boolean(json['free_memory']));
  sendEmpty(response, 200);
};
