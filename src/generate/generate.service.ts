import { Inject, Injectable } from '@nestjs/common';
import { concat, filter, firstValueFrom, map, merge, type Observable, of, timer } from 'rxjs';
import { ComfyService, isFinal, type JobForecast, type JobState } from '../comfy/index.js';
import type { ConvertOptions } from '../images/index.js';
import { Idempotency, type IdempotencyKeyOf, type Submission } from '../idempotency/index.js';
import { hungUp, noSuchJob, ProblemException } from '../problem/index.js';
import { type Preferences, readExtraData } from '../request/index.js';
import { type JobWebhookDto, Webhooks } from '../webhooks/index.js';
import type { ConvertDto } from './convert.dto.js';
import type { FormFiles } from './form-files.js';
import type { GenerateFileDto } from './generate.dto.js';
import { GENERATE_OPTIONS, type GenerateOptions } from './generate.module-definition.js';
import { queryFor, type Wanted } from './wants-file.js';

const MIB = 1024 * 1024;

/** How a caller waits. */
export interface Patience {
  preferences: Preferences;
  hangUp: Observable<void>;
  /** Does a caller who hangs up give the job up? Who has a key can come back with it. */
  abandons: boolean;
}

/** A sync call is a job that somebody waits for. */
@Injectable()
export class GenerateService {
  constructor(
    private readonly comfy: ComfyService,
    private readonly idempotency: Idempotency,
    private readonly webhooks: Webhooks,
    @Inject(GENERATE_OPTIONS) private readonly options: GenerateOptions,
  ) {}

  /**
   * @throws ComfyError where the job was not accepted; ProblemException `idempotency_key_reuse`, and of `Webhooks.attach`;
   * StateError
   */
  async submit(
    body: GenerateFileDto,
    caller: string,
    { key, scope }: IdempotencyKeyOf,
    form?: FormFiles,
  ): Promise<Submission> {
    // Before anybody takes the files, which go where this throws.
    const attachment = this.webhooks.attach(body);
    const extra = readExtraData(body.extra_data, { strict: true });
    const job = {
      workflow: body.workflow_data,
      // What is null counts as left out.
      outputNode: body.output_node_id ?? undefined,
      includeTemp: body.include_temp ?? undefined,
      outputsVia: body.outputs_via ?? undefined,
      priority: body.priority ?? undefined,
      caller,
      convert: toOptions(body.convert),
      files: form?.take() ?? [],
      ...extra,
    };
    return this.idempotency.submitOnce(key, scope, job, attachment);
  }

  /**
   * Waits for the end of a job, as long as the caller wants to: what comes back has ended, or the caller preferred not to wait
   * longer. The job goes on in any case but one: a caller who hangs up, and will not come back, cancels it.
   * @throws ProblemException `wait_timeout`, where nothing else was preferred · `cancelled` · `shutting_down`
   */
  async wait(id: string, wanted: Wanted, { preferences, hangUp, abandons }: Patience): Promise<JobState> {
    const { respondAsync, waitS } = preferences;
    const { waitLimitMs } = this.options;
    const wantedMs = waitS === undefined ? (respondAsync ? 0 : waitLimitMs) : waitS * 1_000;
    const ended$ = this.comfy.watch(id).pipe(
      map(({ state }) => state),
      filter(isFinal),
    );
    const outcome = await firstValueFrom(
      merge(
        // Without an end where the next process goes on with the job.
        concat(ended$, of('left behind' as const)),
        timer(Math.min(wantedMs, waitLimitMs)).pipe(map(() => 'too long' as const)),
        hangUp.pipe(map(() => 'hung up' as const)),
      ),
    );
    switch (outcome) {
      case 'too long':
        if (respondAsync || waitS !== undefined) return this.find(id);
        throw this.waitedTooLong(id, wanted);
      case 'hung up':
        if (abandons) this.comfy.abandon(id);
        throw hungUp(id);
      case 'left behind':
        throw this.leftBehind(id, wanted);
      default:
        return outcome;
    }
  }

  /** @throws ProblemException `result_too_large`, where a file of so many bytes does not go into an answer in JSON */
  expectFitsJson(size: number, url: string, id: string): void {
    const { maxBase64Bytes = 32 * MIB } = this.options;
    if (size <= maxBase64Bytes) return;
    throw new ProblemException(
      'result_too_large',
      `The file has ${size} bytes, and an answer in JSON takes ${maxBase64Bytes} (BASE64_MAX_MB). It is kept: fetch it from ${url}.`,
      { job_id: id },
    );
  }

  /** Which preferences the answer is in accord with. */
  applied({ respondAsync, waitS }: Preferences, answer: JobState): Preferences {
    const maxS = this.options.waitLimitMs / 1_000;
    return {
      respondAsync: respondAsync && !isFinal(answer),
      waitS: waitS === undefined || waitS > maxS ? undefined : waitS,
    };
  }

  /**
   * A job of an earlier call.
   * @throws ProblemException `not_found`
   */
  find(id: string): JobState {
    const state = this.comfy.find(id);
    if (state === undefined) throw noSuchJob();
    return state;
  }

  /** Where a job is in line, and when it will be done. */
  forecast(id: string): JobForecast {
    return this.comfy.forecast(id);
  }

  /** Who is told of a job, and how that goes; undefined where nobody is. */
  webhookOf(id: string): JobWebhookDto | undefined {
    return this.webhooks.viewOf(id);
  }

  /** Where a job can be asked for, to get what was wanted of it. */
  urlOf(id: string, wanted: Wanted): string {
    return `${this.options.baseUrl ?? ''}/api/generate/${id}${queryFor(wanted)}`;
  }

  private waitedTooLong(id: string, wanted: Wanted): ProblemException {
    const seconds = Math.round(this.options.waitLimitMs / 1_000);
    return new ProblemException(
      'wait_timeout',
      `The result was not ready within ${seconds} s (GENERATE_TIMEOUT_S). The job goes on; ask for it at job_url.`,
      { job_id: id, job_url: this.urlOf(id, wanted), retry_after: 5 },
    );
  }

  private leftBehind(id: string, wanted: Wanted): ProblemException {
    return new ProblemException(
      'shutting_down',
      'The server is shutting down. The job goes on when it is back; ask for it at job_url.',
      { job_id: id, job_url: this.urlOf(id, wanted), retry_after: 15 },
    );
  }
}

/** What is null counts as left out. */
function toOptions(convert: ConvertDto | null | undefined): ConvertOptions | undefined {
  if (convert === null || convert === undefined) return undefined;
  return {
    format: convert.format,
    quality: convert.quality ?? undefined,
    maxWidth: convert.max_width ?? undefined,
    maxHeight: convert.max_height ?? undefined,
    stripMetadata: convert.strip_metadata ?? undefined,
  };
}
