import {
  catchError,
  concat,
  defer,
  finalize,
  first,
  from,
  merge,
  NEVER,
  type Observable,
  of,
  distinctUntilChanged,
  filter,
  map,
  switchMap,
  throwError,
  timeout,
  timer,
} from 'rxjs';
import { type ComfyClient, notFoundAgainError, type RunEvent, type RunRequest } from '../client/index.js';
import { ComfyError } from '../comfy.error.js';
import {
  assetReferences,
  SOCKET_OUTPUT_CLASS,
  type UrlInput,
  withFileNames,
  withMark,
  type Workflow,
} from '../workflow/index.js';
import type { InputFile, InputFolder } from './input-folder.js';
import type { NodeClasses } from './node-classes.js';
import { planOutputs } from './output-plan.js';
import type { Turns } from './turns.js';

/** A run as the engine asks for it. */
export interface BackendRun extends RunRequest {
  /** The job it is for. */
  job: string;
  /** Model files that the workflow loads. */
  models: readonly string[];
  /** The workflow to run instead where the server can send pictures over its socket: see `overSocket`. */
  overSocket?: Workflow | undefined;
  /** Files that the workflow names, which have to be there first. */
  inputs?: readonly InputFile[];
  /** Inputs of the workflow that hold the URL of such a file. */
  urls?: readonly UrlInput[];
  /** What decides how long it takes: see `shapeOf`. */
  shape: string;
  /** The job's own folder in ComfyUI's output folder; undefined: it has none. */
  folder?: string | undefined;
  /** Differs from try to try: nodes whose files could be another job's are run again for it. */
  mark: string;
  /** Resolves when the files of the run are safe, or given up. */
  stored: Promise<unknown>;
}

/** Milliseconds that a run which is adopted waits for the connection; then it is run elsewhere, and stopped here should it turn up. */
const ADOPT_WITHIN_MS = 300_000;

/** What of a ComfyUI a run needs. */
export interface RunParts {
  client: ComfyClient;
  folder: InputFolder;
  classes: NodeClasses;
  turns: Turns;
  /** See `RunLimits`. */
  refusedAfterMs: number;
}

/**
 * Runs a prompt with the files that it names, which are uploaded first; one that is adopted runs there already, and is followed. One whose
 * nodes may overwrite files of others takes its turn among those.
 */
export function startRun(parts: RunParts, request: BackendRun): Observable<RunEvent> {
  const { turns, classes } = parts;
  const { workflow, overSocket, mark, stored } = request;
  // What classes there are is not known until the connection is back, so it counts as one that may overwrite files.
  if (request.adopted) return turns.take(start(parts, request), stored, false);
  return defer(() => planOutputs(workflow, request, (name) => classes.find(name))).pipe(
    switchMap(({ targets, rerun }) => {
      const started$ = startEitherWay(parts, {
        ...request,
        targets,
        workflow: withMark(workflow, rerun, mark),
        overSocket: overSocket && withMark(overSocket, rerun, mark),
      });
      return rerun.size === 0 ? started$ : turns.take(started$, stored);
    }),
  );
}

/** Where there is a choice how its pictures come, the way is told before anything is sent. */
function startEitherWay(parts: RunParts, { overSocket, ...request }: BackendRun): Observable<RunEvent> {
  if (overSocket === undefined) return start(parts, request);
  // Who does not say will not take the prompt either, or takes it as it came.
  const socket$ = defer(() =>
    parts.classes.find(SOCKET_OUTPUT_CLASS).then(
      (known) => known !== undefined,
      () => false,
    ),
  );
  return socket$.pipe(
    switchMap((socket) =>
      concat(
        of<RunEvent>({ type: 'way', outputsVia: socket ? 'socket' : 'files' }),
        defer(() => start(parts, socket ? { ...request, workflow: overSocket } : request)),
      ),
    ),
  );
}

function start(parts: RunParts, request: BackendRun): Observable<RunEvent> {
  if (request.adopted) return adopt(parts, request);
  const { client, folder } = parts;
  const { inputs = [] } = request;
  if (inputs.length === 0) return client.run(request);
  const run = () => runWith(client, folder, request, inputs);
  return run().pipe(
    catchError((error: unknown) => {
      if (!(error instanceof ComfyError) || !namesOurFile(error, request)) throw error;
      // Somebody may have emptied the folder since: nothing else tells that from a mistake of the caller's.
      return from(folder.doubt(inputs)).pipe(switchMap(run));
    }),
  );
}

/** Waits for the connection, and follows the run. Where nobody listens and another backend can take the job, it does not wait long. */
function adopt({ client, refusedAfterMs }: RunParts, request: BackendRun): Observable<RunEvent> {
  const dead$ = client.unreachable$.pipe(
    map((reason) => reason?.refused === true),
    distinctUntilChanged(),
    switchMap((refused) => (refused ? timer(refusedAfterMs, refusedAfterMs) : NEVER)),
    filter(() => request.hasAlternative?.() === true),
    map(() => false),
  );
  return merge(client.connected$.pipe(filter(Boolean)), dead$).pipe(
    timeout({ first: ADOPT_WITHIN_MS, with: () => of(false) }),
    first(),
    switchMap((connected) => (connected ? client.run(request) : throwError(() => notFoundAgainError()))),
  );
}

/** Unsubscribing stops the uploads. */
function runWith(
  client: ComfyClient,
  folder: InputFolder,
  request: BackendRun,
  inputs: readonly InputFile[],
): Observable<RunEvent> {
  const stopping = new AbortController();
  return from(folder.place(inputs, stopping.signal)).pipe(
    finalize(() => stopping.abort(new Error('The run was given up'))),
    switchMap((names) =>
      client.run({ ...request, workflow: withFileNames(request.workflow, names, request.urls) }),
    ),
  );
}

/** Does ComfyUI refuse the workflow because of an input whose file we have brought? */
function namesOurFile({ code, nodeErrors = {} }: ComfyError, { workflow, urls = [] }: BackendRun): boolean {
  if (code !== 'invalid_workflow') return false;
  return [...urls, ...assetReferences(workflow)].some(({ node, input }) =>
    nodeErrors[node]?.errors.some((error) => error.input === undefined || error.input === input),
  );
}
