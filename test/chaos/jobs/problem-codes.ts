import { readFileSync } from 'node:fs';

const PAGE = new URL('../../../docs/errors.md', import.meta.url);

/** Statuses by code, as callers are promised them: from the page, since the code could be wrong the same way. */
export function readProblemCodes(): Map<string, readonly number[]> {
  const rows = readFileSync(PAGE, 'utf8').matchAll(/^\| `([a-z_]+)` \| (\d{3}(?: \/ \d{3})*) \|/gm);
  const codes = new Map(
    [...rows].map(([, code = '', statuses = '']) => [code, statuses.split(' / ').map(Number)]),
  );
  if (codes.size < 10) throw new Error('docs/errors.md has no table of codes that can be read');
  return codes;
}

/**
 * What no call of ours may be answered with, whatever breaks around the service: nothing was wrong with the request,
 * nobody cancelled it, the disk is not full, and the line has room for every caller.
 */
export const NEVER: ReadonlySet<string> = new Set([
  'cancelled',
  'internal_error',
  'invalid_request',
  'invalid_workflow',
  'link_expired',
  'link_invalid',
  'method_not_allowed',
  'no_output',
  'node_execution_error',
  'not_found',
  'output_node_not_found',
  'payload_too_large',
  'queue_full',
  'range_not_satisfiable',
  'shutting_down',
  'storage_full',
  'unsupported_media_type',
  'workflow_format_ui',
]);
