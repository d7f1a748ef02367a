import { Inject, Injectable } from '@nestjs/common';
import { filter, firstValueFrom, map, merge, type Observable, timer } from 'rxjs';
import { ComfyService, isFinal, type JobForecast, type JobState } from '../comfy/index.js';
import { ProblemException } from '../problem/index.js';
import type { GenerateFileDto } from './generate.dto.js';
import { expectSuccess } from './generate.reply.js';
import { GENERATE_OPTIONS, type GenerateOptions } from './generate.module-definition.js';

/** A sync call is a job that somebody waits for. */
@Injectable()
export class GenerateService {
  constructor(
    private readonly comfy: ComfyService,
    @Inject(GENERATE_OPTIONS) private readonly options: GenerateOptions,
  ) {}

  /**
   * Runs a workflow and waits for its end. A caller who hangs up cancels it; one who waited too long does not: the job
   * goes on, and the problem says where to ask for it.
   * @throws ComfyError where the job was not accepted; ProblemException for every end but success
   */
  async run(body: GenerateFileDto, caller: string, hangUp: Observable<void>): Promise<JobState> {
    const { id } = this.comfy.submit({
      workflow: body.workflow_data,
      // What is null counts as left out.
      outputNode: body.output_node_id ?? undefined,
      priority: body.priority ?? undefined,
      caller,
    });
    const ended$ = this.comfy.watch(id).pipe(
      map(({ state }) => state),
      filter(isFinal),
    );
    const end = await firstValueFrom(
      merge(
        ended$,
        timer(this.options.waitLimitMs).pipe(map(() => 'too long' as const)),
        hangUp.pipe(map(() => 'hung up' as const)),
      ),
    );
    if (end === 'too long') throw this.waitedTooLong(id);
    if (end === 'hung up') {
      this.comfy.abandon(id);
      throw new ProblemException('cancelled', 'The caller hung up.', { job_id: id });
    }
    return expectSuccess(end);
  }

  /**
   * A job of an earlier call.
   * @throws ProblemException `not_found`
   */
  find(id: string): JobState {
    const state = this.comfy.find(id);
    if (state !== undefined) return state;
    throw new ProblemException('not_found', 'There is no such job, or it ended too long ago.');
  }

  /** Where a job is in line, and when it will be done. */
  forecast(id: string): JobForecast {
    return this.comfy.forecast(id);
  }

  private waitedTooLong(id: string): ProblemException {
    const seconds = Math.round(this.options.waitLimitMs / 1_000);
    return new ProblemException(
      'wait_timeout',
      `The result was not ready within ${seconds} s (GENERATE_TIMEOUT_S). The job goes on; ask for it at job_url.`,
      { job_id: id, job_url: `${this.options.baseUrl ?? ''}/api/generate/${id}`, retry_after: 5 },
    );
  }
}
