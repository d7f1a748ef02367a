import type { RouteName } from '../faults.js';
import type { Route } from './context.js';
import { cancelJob, getJob, getJobs, methodNotAllowed } from './job-routes.js';
import * as info from './info-routes.js';
import * as prompts from './prompt-routes.js';
import { postUpload } from './upload-route.js';
import { getView } from './view-route.js';

export interface Match {
  route: RouteName;
  name: string;
  /** Absent for `other`, and for `GET /ws` without an upgrade. */
  run?: Route;
}

const ROUTES: Partial<Record<RouteName, Route>> = {
  'POST /prompt': prompts.postPrompt,
  'GET /prompt': prompts.getPrompt,
  'GET /queue': prompts.getQueue,
  'POST /queue': prompts.postQueue,
  'GET /history': prompts.getHistory,
  'GET /history/{id}': prompts.getHistoryOf,
  'POST /history': prompts.postHistory,
  'POST /interrupt': prompts.postInterrupt,
  'POST /free': prompts.postFree,
  'GET /view': getView,
  'POST /upload/image': postUpload,
  'GET /object_info': info.getObjectInfo,
  'GET /object_info/{class}': info.getObjectInfoOf,
  'GET /system_stats': info.getSystemStats,
  'GET /features': info.getFeatures,
  'GET /models': info.getModels,
  'GET /models/{folder}': info.getModelsOf,
};

const NAMED: Record<string, RouteName> = {
  '/history': 'GET /history/{id}',
  '/object_info': 'GET /object_info/{class}',
  '/models': 'GET /models/{folder}',
};

/** What of `/api/jobs` a server has. */
export interface JobsApi {
  list: boolean;
  cancel: boolean;
}

/** These answer under `/api` only (25). */
function matchJobs(method: string, path: string, { list, cancel }: JobsApi): Match | undefined {
  if (!list) return undefined;
  if (path === '/api/jobs' && isGet(method)) return { route: 'GET /jobs', name: '', run: getJobs };
  const [, id = '', action] = /^\/api\/jobs\/([^/]+)(\/cancel)?$/.exec(path) ?? [];
  if (id === '') return undefined;
  const name = decodeURIComponent(id);
  if (action === undefined) {
    if (isGet(method)) return { route: 'GET /jobs/{id}', name, run: getJob };
    return { route: 'other', name, run: methodNotAllowed };
  }
  return {
    route: 'POST /jobs/{id}/cancel',
    name,
    run: cancel && method === 'POST' ? cancelJob : methodNotAllowed,
  };
}

const isGet = (method: string) => method === 'GET' || method === 'HEAD';

/** As aiohttp matches `{name}`: no slash and no brace, decoded (31). */
function isSegment(rest: string): boolean {
  return rest !== '' && !/[{}/]/.test(decodeURIComponent(rest));
}

/** `path` is without query and base path; every route answers under `/api` too, and GET routes answer HEAD. */
export function match(method: string, path: string, jobs: JobsApi): Match {
  const ofJobs = matchJobs(method, path, jobs);
  if (ofJobs !== undefined) return ofJobs;
  const bare = path.startsWith('/api/') ? path.slice(4) : path;
  const verb = method === 'HEAD' ? 'GET' : method;
  const exact = `${verb} ${bare}` as RouteName;
  const run = ROUTES[exact];
  if (run !== undefined) return { route: exact, name: '', run };
  if (exact === 'GET /ws') return { route: exact, name: '' };
  const cut = bare.indexOf('/', 1);
  const named = cut > 0 && verb === 'GET' ? NAMED[bare.slice(0, cut)] : undefined;
  const rest = bare.slice(cut + 1);
  if (named === undefined || !isSegment(rest)) return { route: 'other', name: '' };
  const named_run = ROUTES[named];
  return { route: named, name: decodeURIComponent(rest), ...(named_run ? { run: named_run } : {}) };
}
