import type { ComfyService, JobState } from '../../src/comfy/index.js';
import type { ComfyStandin } from '../comfyui/index.js';
import type { ProgressLine } from './progress-line.js';

const LOOK_EVERY_MS = 25;

/**
 * Shows the progress of the next job. The call that started it answers only at its end, so its id is learned from the
 * stand-in: a job's prompt in ComfyUI bears the job's own id.
 * @returns stop watching
 */
export function followNextJob(comfy: ComfyStandin, service: ComfyService, line: ProgressLine): () => void {
  const looking = setInterval(() => {
    const [id] = comfy.queue.running;
    if (id === undefined) return;
    clearInterval(looking);
    // Ends by itself, with the job.
    service.watch(id).subscribe(({ state }) => line.show(state.progress?.value ?? 0, describe(state)));
  }, LOOK_EVERY_MS);
  return () => clearInterval(looking);
}

function describe({ status, progress }: JobState): string {
  if (status !== 'running') return status;
  if (progress?.class === undefined) return 'starting';
  const { class: node, step, steps } = progress;
  return steps === undefined ? node : `${node}, step ${step ?? 0} of ${steps}`;
}
