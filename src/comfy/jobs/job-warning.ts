/**
 * What a job that goes on can still be told of. `output_missing`: ComfyUI names a file that is not on its disk. `output_rejected`: a
 * file cannot be fetched, or it is not certain that this job made it. `branch_failed`: another part of the workflow failed
 * (`node_errors`). `output_blocked`: a node was blocked with a message and made nothing. `input_truncated`: a picture for the
 * workflow is cut off.
 */
export const WARNING_CODES = [
  'output_missing',
  'output_rejected',
  'branch_failed',
  'output_blocked',
  'input_truncated',
] as const;
export type WarningCode = (typeof WARNING_CODES)[number];

/** Something that went wrong and did not end the job. */
export interface JobWarning {
  code: WarningCode;
  /** For the caller: no paths, no addresses. */
  message: string;
  /** Node of the submitted workflow. */
  node?: string;
}

/** Warnings kept for one job; later ones are dropped. */
export const MAX_WARNINGS = 100;

/** The warnings with one more: each is listed once, and {@link MAX_WARNINGS} at most. */
export function withWarning(
  warnings: readonly JobWarning[] | undefined,
  warning: JobWarning,
): readonly JobWarning[] {
  const before = warnings ?? [];
  const known = before.some(
    ({ code, message, node }) =>
      code === warning.code && message === warning.message && node === warning.node,
  );
  return known || before.length >= MAX_WARNINGS ? before : [...before, warning];
}

/** Warnings that stay true when the job is run again: those of its inputs. */
export function lastingWarnings(warnings: readonly JobWarning[] | undefined): {
  warnings?: readonly JobWarning[];
} {
  const lasting = (warnings ?? []).filter(({ code }) => code === 'input_truncated');
  return lasting.length === 0 ? {} : { warnings: lasting };
}
