import { Injectable } from '@nestjs/common';
import { filter, firstValueFrom, map, merge, timer } from 'rxjs';
import { ComfyService, isFinal, type JobState } from '../comfy/index.js';
import { failureToProblem, noSuchJob } from '../problem/index.js';

/** Milliseconds that an answer waits to learn whether ComfyUI takes the workflow. */
const VERDICT_MS = 1_000;

/** What the jobs of this face need beyond `ComfyService`: nothing but answers in time. */
@Injectable()
export class ContractJobs {
  constructor(private readonly comfy: ComfyService) {}

  /**
   * The job, once ComfyUI has taken it or refused it, where a backend has it already. One that waits in line is answered at
   * once: what ComfyUI says of it will be in its `error`.
   * @throws ProblemException `invalid_workflow`
   */
  async verdict(job: JobState): Promise<JobState> {
    const state = await this.firstSign(job);
    if (state.failure?.code === 'invalid_workflow')
      throw failureToProblem(state.failure, { job_id: state.id }, 'workflow');
    return state;
  }

  /** @throws ProblemException `not_found` */
  find(id: string): JobState {
    const state = this.comfy.find(id.toLowerCase());
    if (state === undefined) throw noSuchJob();
    return state;
  }

  private async firstSign(job: JobState): Promise<JobState> {
    if (job.status !== 'running') return job;
    return firstValueFrom(
      merge(
        this.comfy.watch(job.id).pipe(
          filter(({ state, event }) => event !== undefined || isFinal(state)),
          map(({ state }) => state),
        ),
        timer(VERDICT_MS).pipe(map(() => this.find(job.id))),
      ),
      { defaultValue: job },
    );
  }
}
