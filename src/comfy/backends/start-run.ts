import { catchError, finalize, first, from, type Observable, switchMap, throwError, timeout } from 'rxjs';
import { type ComfyClient, notFoundAgainError, type RunEvent, type RunRequest } from '../client/index.js';
import { ComfyError } from '../comfy.error.js';
import { type UrlInput, withFileNames } from '../workflow/index.js';
import type { InputFile, InputFolder } from './input-folder.js';

/** A run as the engine asks for it. */
export interface BackendRun extends RunRequest {
  /** The job it is for. */
  job: string;
  /** Model files that the workflow loads. */
  models: readonly string[];
  /** Files that the workflow names, which have to be there first. */
  inputs?: readonly InputFile[];
  /** Inputs of the workflow that hold the URL of such a file. */
  urls?: readonly UrlInput[];
  /** What decides how long it takes: see `shapeOf`. */
  shape: string;
}

/** Milliseconds that a run which is adopted waits for the connection; then it is run elsewhere, and stopped here should it turn up. */
const ADOPT_WITHIN_MS = 300_000;

/** Runs a prompt with the files that it names, which are uploaded first; one that is adopted runs there already, and is followed. */
export function startRun(
  client: ComfyClient,
  folder: InputFolder,
  request: BackendRun,
): Observable<RunEvent> {
  if (request.adopted) return adopt(client, request);
  const { inputs = [] } = request;
  if (inputs.length === 0) return client.run(request);
  const run = () => runWith(client, folder, request, inputs);
  return run().pipe(
    catchError((error: unknown) => {
      if (!(error instanceof ComfyError) || error.code !== 'invalid_workflow') throw error;
      // Somebody may have emptied the folder since: nothing else tells that from a mistake of the caller's.
      return from(folder.doubt(inputs)).pipe(switchMap(run));
    }),
  );
}

function adopt(client: ComfyClient, request: BackendRun): Observable<RunEvent> {
  return client.connected$.pipe(
    first(Boolean),
    timeout({ first: ADOPT_WITHIN_MS, with: () => throwError(() => notFoundAgainError()) }),
    switchMap(() => client.run(request)),
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
