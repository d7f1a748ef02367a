import type { ComfyService, JobState } from '../../src/comfy/index.js';
import type { ProgressLine } from './progress-line.js';

/**
 * Shows the progress of every job from here on. The call that starts one answers only at its end, so its id is learned
 * from the engine.
 * @returns stop watching
 */
export function followJobs(service: ComfyService, line: ProgressLine): () => void {
  const jobs = service.submitted$.subscribe(({ id }) => {
    // Ends by itself, with the job.
    service.watch(id).subscribe(({ state }) => line.show(state.progress?.value ?? 0, describe(state)));
  });
  return () => jobs.unsubscribe();
}

function describe({ status, progress }: JobState): string {
  if (status !== 'running') return status;
  if (progress?.class === undefined) return 'starting';
  const { class: node, step, steps } = progress;
  return steps === undefined ? node : `${node}, step ${step ?? 0} of ${steps}`;
}
