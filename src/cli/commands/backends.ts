import { usageError } from '../cli.error.js';
import type { Cli } from '../cli.js';
import { table } from '../output.js';

interface Backend {
  name: string;
  state: string;
  circuit: string;
  draining: boolean;
  usable: boolean;
  slots: number;
  busy_slots: number;
  succeeded: number;
  failed: number;
  last_error: { message: string; at: string } | null;
}

/** For operators: how every ComfyUI is. @throws CliError */
export async function listBackends(cli: Cli, token: string | undefined): Promise<void> {
  const api = await cli.api();
  const answer = await api.json({
    path: '/api/backends',
    headers: authorization(cli, token),
    signal: cli.interruption.signal,
  });
  if (cli.json) return cli.printJson(answer.value);
  const value = answer.value as { backends: Backend[]; waiting: number };
  const headings = ['BACKEND', 'STATE', 'USABLE', 'BUSY', 'SUCCEEDED', 'FAILED', 'LAST ERROR'];
  cli.print(...table(headings, value.backends.map(rowOf)));
  cli.print(`${value.waiting} ${value.waiting === 1 ? 'job waits' : 'jobs wait'}.`);
}

/** For operators: no more jobs for a ComfyUI, or jobs again. @throws CliError */
export async function drainBackend(
  cli: Cli,
  action: 'drain' | 'undrain',
  name: string,
  token: string | undefined,
): Promise<void> {
  const api = await cli.api();
  const answer = await api.json({
    method: 'POST',
    path: `/api/backends/${encodeURIComponent(name)}/${action}`,
    headers: authorization(cli, token),
    signal: cli.interruption.signal,
  });
  if (cli.json) return cli.printJson(answer.value);
  const value = answer.value as Backend;
  const busy = `${value.busy_slots} of ${value.slots} slots busy`;
  cli.print(`${value.name}  ${value.draining ? 'gets no more jobs' : 'gets jobs'}, ${busy}`);
}

/** @throws CliError `usage` */
function authorization(cli: Cli, given: string | undefined): Record<string, string> {
  const token = given ?? cli.env['COMFY_SYNC_ADMIN_TOKEN'];
  if (token === undefined || token === '') return {};
  if (!/^[\u0020-\u007e]+$/.test(token)) {
    throw usageError('The token holds a character that no header may hold.');
  }
  return { authorization: `Bearer ${token}` };
}

function rowOf(backend: Backend): string[] {
  const { name, state, circuit, draining, usable, slots, busy_slots: busy, succeeded, failed } = backend;
  const trust = circuit === 'closed' ? '' : `, circuit ${circuit}`;
  return [
    name,
    `${state}${trust}${draining ? ', draining' : ''}`,
    usable ? 'yes' : 'no',
    `${busy}/${slots}`,
    String(succeeded),
    String(failed),
    backend.last_error?.message ?? '',
  ];
}
