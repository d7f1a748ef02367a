import {
  Body,
  Controller,
  Get,
  HttpCode,
  HttpStatus,
  Inject,
  Param,
  Post,
  Query,
  Req,
  Res,
  UseFilters,
} from '@nestjs/common';
import { ApiHeader, ApiOperation, ApiParam, ApiResponse, ApiTags } from '@nestjs/swagger';
import type { Request, Response } from 'express';
import { Assets } from '../assets/index.js';
import { ComfyService, type JobState, stringifyJson } from '../comfy/index.js';
import {
  Idempotency,
  IDEMPOTENCY_HEADER,
  IdempotencyKey,
  type IdempotencyKeyOf,
  tellReplay,
} from '../idempotency/index.js';
import { ApiContractErrors, BODY_PROBLEMS, ProblemException, ProblemFilter } from '../problem/index.js';
import {
  Caller,
  CALLER_HEADER,
  readCursor,
  readExtraData,
  readWorkflow,
  writeCursor,
} from '../request/index.js';
import { TellsWebhook, Webhooks } from '../webhooks/index.js';
import { API_V2_OPTIONS, type ApiV2Options } from './api-v2.module-definition.js';
import { type ContractStatus, fromContractStatus, toContractJob } from './contract-job.js';
import { ContractJobs } from './contract-jobs.js';
import { replyContext } from './reply-context.js';
import {
  ContractJobDto,
  ContractJobListDto,
  ContractJobWorkflowDto,
  ListJobsQueryDto,
  PostJobsDto,
} from './jobs.dto.js';

const DEFAULT_LIMIT = 20;

/** Comfy API v2: jobs. */
@UseFilters(ProblemFilter)
@ApiTags('jobs (Comfy API v2)')
@Controller('api/v2/jobs')
export class JobsController {
  constructor(
    private readonly comfy: ComfyService,
    private readonly jobs: ContractJobs,
    private readonly idempotency: Idempotency,
    private readonly assets: Assets,
    private readonly webhooks: Webhooks,
    @Inject(API_V2_OPTIONS) private readonly options: ApiV2Options,
  ) {}

  @Post()
  @HttpCode(HttpStatus.CREATED)
  @ApiOperation({
    summary: 'Submit a workflow',
    description:
      'Answers as soon as the job is in line. Where a ComfyUI is free, it waits a moment to learn whether that takes the workflow. With an `Idempotency-Key` that was used for the same workflow within 24 hours, the answer is the job of that time.',
  })
  @ApiHeader(CALLER_HEADER)
  @ApiHeader(IDEMPOTENCY_HEADER)
  @TellsWebhook()
  @ApiResponse({ status: 201, description: 'The job', type: ContractJobDto })
  @ApiContractErrors(
    'invalid_request',
    'origin_not_allowed',
    ...BODY_PROBLEMS,
    'payload_too_large',
    'unsupported_media_type',
    'invalid_workflow',
    'workflow_format_ui',
    'missing_asset',
    'invalid_input',
    'idempotency_key_reuse',
    'webhooks_off',
    'queue_full',
    'webhooks_full',
    'internal_error',
    'state_error',
    'no_backend',
    'shutting_down',
  )
  async postJobs(
    @Body() body: PostJobsDto,
    @Caller() caller: string,
    @IdempotencyKey() { key, scope }: IdempotencyKeyOf,
    @Req() request: Request,
    @Res({ passthrough: true }) response: Response,
  ): Promise<ContractJobDto> {
    const { workflow, extraData } = readWorkflow(body.workflow, 'workflow');
    const extra =
      body.extra_data === undefined || body.extra_data === null
        ? readExtraData(extraData, { strict: false })
        : readExtraData(body.extra_data, { strict: true });
    const job = {
      workflow,
      allOutputs: true,
      includeTemp: body.include_temp ?? undefined,
      outputsVia: body.outputs_via ?? undefined,
      priority: body.priority ?? undefined,
      caller,
      ...extra,
    };
    const submission = await this.idempotency.submitOnce(key, scope, job, this.webhooks.attach(body));
    tellReplay(submission, response);
    const reply = this.show(await this.jobs.verdict(submission.job), request);
    response.setHeader('Location', reply.urls.self);
    return reply;
  }

  @Get()
  @ApiOperation({ summary: 'List jobs, the newest first' })
  @ApiResponse({ status: 200, description: 'A page of jobs', type: ContractJobListDto })
  @ApiContractErrors('invalid_request', 'internal_error', 'state_error')
  listJobs(@Query() query: ListJobsQueryDto, @Req() request: Request): ContractJobListDto {
    const statuses = query.status
      ?.split(',')
      .flatMap((status) => fromContractStatus(status as ContractStatus));
    const { jobs, next } = this.comfy.list({
      statuses,
      before: readCursor(query.cursor),
      limit: query.limit ?? DEFAULT_LIMIT,
    });
    return {
      jobs: jobs.map((job) => this.show(job, request)),
      ...(next === undefined ? {} : { next_cursor: writeCursor(next) }),
    };
  }

  @Get(':id')
  @ApiOperation({ summary: 'Ask how a job is', description: 'Whichever way it was submitted.' })
  @ApiParam({ name: 'id', schema: { type: 'string', format: 'uuid' } })
  @ApiResponse({ status: 200, description: 'The job', type: ContractJobDto })
  @ApiContractErrors('not_found', 'internal_error', 'state_error')
  getJob(@Param('id') id: string, @Req() request: Request): ContractJobDto {
    return this.show(this.jobs.find(id), request);
  }

  @Get(':id/workflow')
  @ApiOperation({ summary: 'The workflow behind a job' })
  @ApiParam({ name: 'id', schema: { type: 'string', format: 'uuid' } })
  @ApiResponse({ status: 200, description: 'As it was sent', type: ContractJobWorkflowDto })
  @ApiContractErrors('not_found', 'internal_error', 'state_error')
  getJobWorkflow(@Param('id') id: string, @Res() response: Response): void {
    const workflow = this.comfy.workflowOf(this.jobs.find(id).id);
    if (workflow === undefined) {
      throw new ProblemException('not_found', 'The workflow of this job is not kept any more.');
    }
    // Seeds have more digits than a double holds.
    response.type('application/json').send(stringifyJson({ workflow, format: 'api' }));
  }

  @Post(':id/cancel')
  @HttpCode(HttpStatus.OK)
  @ApiOperation({
    summary: 'Cancel a job',
    description:
      'A waiting job leaves the line, a running one is stopped on its ComfyUI. One that has ended stays as it is.',
  })
  @ApiParam({ name: 'id', schema: { type: 'string', format: 'uuid' } })
  @ApiResponse({ status: 200, description: 'The job as it is now', type: ContractJobDto })
  @ApiContractErrors('origin_not_allowed', 'not_found', 'internal_error', 'state_error')
  cancelJob(@Param('id') id: string, @Req() request: Request): ContractJobDto {
    const job = this.jobs.find(id);
    this.comfy.cancel(job.id);
    return this.show(this.jobs.find(id), request);
  }

  private show(state: JobState, request: Request): ContractJobDto {
    return toContractJob(
      state,
      this.comfy.forecast(state.id),
      replyContext(request, this.options, this.assets),
      this.webhooks.viewOf(state.id),
    );
  }
}
