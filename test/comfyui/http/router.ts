import type { RouteName } from '../faults.js';
import type { Route } from './context.js';
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

/** `path` is without query and base path; every route answers under `/api` too, and GET routes answer HEAD. */
export function match(method: string, path: string): Match {
  const bare = path.startsWith('/api/') ? path.slice(4) : path;
  const verb = method === 'HEAD' ? 'GET' : method;
  const exact = `${verb} ${bare}` as RouteName;
  const run = ROUTES[exact];
  if (run !== undefined) return { route: exact, name: '', run };
  if (exact === 'GET /ws') return { route: exact, name: '' };
  const cut = bare.indexOf('/', 1);
  const named = cut > 0 && verb === 'GET' ? NAMED[bare.slice(0, cut)] : undefined;
  const rest = bare.slice(cut + 1);
  if (named === undefined || rest === '' || rest.includes('/')) return { route: 'other', name: '' };
  const named_run = ROUTES[named];
  return { route: named, name: decodeURIComponent(rest), ...(named_run ? { run: named_run } : {}) };
}
