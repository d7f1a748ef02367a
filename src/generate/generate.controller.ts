import {
  Body,
  Controller,
  Get,
  HttpCode,
  HttpStatus,
  Param,
  ParseUUIDPipe,
  Post,
  Query,
  Req,
  Res,
  StreamableFile,
  UseInterceptors,
} from '@nestjs/common';
import {
  ApiBody,
  ApiExtraModels,
  ApiHeader,
  ApiOperation,
  ApiParam,
  ApiResponse,
  ApiTags,
  getSchemaPath,
} from '@nestjs/swagger';
import type { Request, Response } from 'express';
import { buffer } from 'node:stream/consumers';
import { Observable } from 'rxjs';
import { isFinal, type JobState } from '../comfy/index.js';
import { bundle, type BundleFormat } from '../delivery/index.js';
import {
  IDEMPOTENCY_HEADER,
  IdempotencyKey,
  type IdempotencyKeyOf,
  type Submission,
  tellReplay,
} from '../idempotency/index.js';
import { ApiProblems, BODY_PROBLEMS, noSuchJob } from '../problem/index.js';
import {
  Caller,
  CALLER_HEADER,
  HangUp,
  Prefer,
  PREFER_HEADER,
  type Preferences,
  tellApplied,
} from '../request/index.js';
import { openFile, Storage } from '../storage/index.js';
import { TellsWebhook } from '../webhooks/index.js';
import {
  GenerateDto,
  GenerateFileDto,
  GenerateReplyDto,
  PendingReplyDto,
  REPLY_EXAMPLE,
  ResultQueryDto,
  WORKFLOW_EXAMPLE,
} from './generate.dto.js';
import { FilesOfForm, FormFiles } from './form-files.js';
import { expectSuccess, outputAt, pickOutput, toPending, toReply } from './generate.reply.js';
import { GenerateService, type Patience } from './generate.service.js';
import { type Wanted, wantedFiles, wantedResponse } from './wants-file.js';
import { WorkflowFormInterceptor } from './workflow-form.interceptor.js';

const FILE_CONTENT = { schema: { type: 'string', format: 'binary' } } as const;
const FILE_TYPES = ['image/png', 'image/jpeg', 'image/webp', 'video/mp4', 'application/octet-stream'];
const FILE = Object.fromEntries(FILE_TYPES.map((type) => [type, FILE_CONTENT]));
/** All files of the node at once. */
const BUNDLE = { 'application/zip': FILE_CONTENT, 'multipart/mixed': FILE_CONTENT };
const BUNDLE_WORDS =
  ' With an `Accept` header that ranks `application/zip` or `multipart/mixed` above all kinds of files, the answer holds every output of the node, in order; `output_index` has no meaning then.';
const JSON_REPLY = {
  'application/json': { schema: { $ref: getSchemaPath(GenerateReplyDto) }, example: REPLY_EXAMPLE },
};
const FILE_REPLY_HEADERS = {
  'Job-Id': {
    description: 'With a file: the job that made it',
    schema: { type: 'string', format: 'uuid' },
    example: REPLY_EXAMPLE.job_id,
  },
  'Job-Warnings': {
    description:
      'With a file: codes of what went wrong without ending the job, separated by commas; absent where nothing did',
    schema: { type: 'string' },
    example: 'output_missing',
  },
} as const;
const RETRY_AFTER = {
  'Retry-After': {
    description: 'Seconds until asking again makes sense',
    schema: { type: 'integer' },
    example: 2,
  },
} as const;
const APPLIED = {
  'Preference-Applied': {
    description: 'With a `Prefer` header: what of it was done',
    schema: { type: 'string' },
    example: 'wait=20',
  },
} as const;
const REPLAYED = {
  'Idempotency-Replayed': {
    description: 'With an `Idempotency-Key`: an earlier call made the job. Comes with problems too',
    schema: { type: 'boolean' },
    example: true,
  },
} as const;

const PENDING = {
  status: 202,
  description: 'Not ready yet, and the caller prefers not to wait longer',
  headers: {
    ...RETRY_AFTER,
    Location: {
      description: 'Where to ask for the result; it answers as this call would have',
      schema: { type: 'string', format: 'uri-reference' },
    },
    ...APPLIED,
  },
  content: { 'application/json': { schema: { $ref: getSchemaPath(PendingReplyDto) } } },
} as const;
const PENDING_CALL = { ...PENDING, headers: { ...PENDING.headers, ...REPLAYED } } as const;

/** Where workflows are run; they may come as forms. */
export const GENERATE_PATHS = ['/api/generate', '/api/generate_file'];

const CALL = { workflow_data: WORKFLOW_EXAMPLE, output_node_id: 277 };
const CALL_EXAMPLES = {
  node: { summary: 'The file of a node', value: CALL },
  any: { summary: 'Whatever the workflow makes', value: { workflow_data: WORKFLOW_EXAMPLE } },
};

/** How a job can fail, whenever it is asked for. */
const JOB_PROBLEMS = [
  'invalid_workflow',
  'missing_asset',
  'invalid_input',
  'input_unavailable',
  'no_output',
  'result_too_large',
  'conversion_failed',
  'output_rejected',
  'internal_error',
  'node_execution_error',
  'out_of_memory',
  'interrupted',
  'backend_lost',
  'job_timeout',
  'job_stalled',
  'storage_error',
  'no_backend',
  'shutting_down',
  'storage_full',
] as const;

const CALL_PROBLEMS = [
  'invalid_request',
  'origin_not_allowed',
  ...BODY_PROBLEMS,
  'payload_too_large',
  'unsupported_media_type',
  'workflow_format_ui',
  'output_node_not_found',
  'idempotency_key_reuse',
  'webhooks_off',
  'queue_full',
  'webhooks_full',
  'cancelled',
  'state_error',
  'wait_timeout',
  ...JOB_PROBLEMS,
] as const;

/** One call in, one picture out. */
@ApiTags('generate')
@ApiExtraModels(GenerateReplyDto, PendingReplyDto)
@Controller('api')
export class GenerateController {
  constructor(
    private readonly generateService: GenerateService,
    private readonly storage: Storage,
  ) {}

  @Post('generate')
  @HttpCode(HttpStatus.OK)
  @UseInterceptors(WorkflowFormInterceptor)
  @ApiOperation({
    summary: 'Run a workflow, answer with the URL of its picture',
    description:
      'Answers when the picture is stored. With `response_type: "file"`, or an `Accept` header that prefers a file to JSON (`image/*`), the answer is the file itself; generated clients call `generateFile` for that, whose type says so. `response_type: "zip"` or `"multipart"`, or such an `Accept` header: all files in one. Hanging up cancels the job, unless it has an `Idempotency-Key`: then a second try finds it.',
  })
  @ApiBody({
    type: GenerateDto,
    examples: {
      url: { summary: 'Answer with the URL', value: { ...CALL, response_type: 'url' } },
      file: { summary: 'Answer with the file', value: { ...CALL, response_type: 'file' } },
      any: CALL_EXAMPLES.any,
    },
  })
  @ApiResponse({
    status: 200,
    description: 'The result, or the file itself',
    headers: { ...FILE_REPLY_HEADERS, ...APPLIED, ...REPLAYED },
    content: { ...JSON_REPLY, ...FILE, ...BUNDLE },
  })
  @ApiHeader(CALLER_HEADER)
  @ApiHeader(IDEMPOTENCY_HEADER)
  @ApiHeader(PREFER_HEADER)
  @TellsWebhook()
  @ApiResponse(PENDING_CALL)
  @ApiProblems(...CALL_PROBLEMS)
  async generate(
    @Body() body: GenerateDto,
    @Caller() caller: string,
    @IdempotencyKey() key: IdempotencyKeyOf,
    @Prefer() preferences: Preferences,
    @HangUp() hangUp: Observable<void>,
    @FilesOfForm() files: FormFiles | undefined,
    @Req() request: Request,
    @Res({ passthrough: true }) response: Response,
  ): Promise<GenerateReplyDto | PendingReplyDto | StreamableFile> {
    const submission = await this.generateService.submit(body, caller, key, files);
    letGo(request, body);
    const wanted = { index: body.output_index, as: wantedResponse(body.response_type, request) };
    return this.waitFor(
      submission,
      { preferences, hangUp, abandons: key.key === undefined },
      wanted,
      response,
    );
  }

  @Post('generate_file')
  @HttpCode(HttpStatus.OK)
  @UseInterceptors(WorkflowFormInterceptor)
  @ApiOperation({
    summary: 'Run a workflow, answer with the file it makes',
    description: `Answers with the bytes as an attachment: as ComfyUI made them, or converted (\`convert\`), once they are stored. Hanging up cancels the job, unless it has an \`Idempotency-Key\`: then a second try finds it.${BUNDLE_WORDS}`,
  })
  @ApiBody({ type: GenerateFileDto, examples: CALL_EXAMPLES })
  @ApiResponse({
    status: 200,
    description: 'The file, whose type is that of the bytes; or all files of the node in one',
    headers: { ...FILE_REPLY_HEADERS, ...APPLIED, ...REPLAYED },
    content: { ...FILE, ...BUNDLE },
  })
  @ApiHeader(CALLER_HEADER)
  @ApiHeader(IDEMPOTENCY_HEADER)
  @ApiHeader(PREFER_HEADER)
  @TellsWebhook()
  @ApiResponse(PENDING_CALL)
  @ApiProblems(...CALL_PROBLEMS)
  async generateFile(
    @Body() body: GenerateFileDto,
    @Caller() caller: string,
    @IdempotencyKey() key: IdempotencyKeyOf,
    @Prefer() preferences: Preferences,
    @HangUp() hangUp: Observable<void>,
    @FilesOfForm() files: FormFiles | undefined,
    @Req() request: Request,
    @Res({ passthrough: true }) response: Response,
  ): Promise<GenerateReplyDto | PendingReplyDto | StreamableFile> {
    const submission = await this.generateService.submit(body, caller, key, files);
    letGo(request, body);
    const wanted = { index: body.output_index, as: wantedFiles(request) };
    return this.waitFor(
      submission,
      { preferences, hangUp, abandons: key.key === undefined },
      wanted,
      response,
    );
  }

  @Get('generate/:job_id')
  @ApiOperation({
    summary: 'Ask for the result of a job',
    description:
      'The same answer as that call would have got, once it is there; 202 until then. With STATE_DIR jobs are remembered for RETENTION_DAYS, else the last thousand until a restart.',
  })
  @ApiParam({
    name: 'job_id',
    description: '`job_id` of the answer that was too late',
    schema: { type: 'string', format: 'uuid', example: REPLY_EXAMPLE.job_id },
  })
  @ApiResponse({
    status: 200,
    description: 'The result, or the file itself',
    headers: { ...FILE_REPLY_HEADERS, ...APPLIED },
    content: { ...JSON_REPLY, ...FILE, ...BUNDLE },
  })
  @ApiHeader({ ...PREFER_HEADER, description: 'RFC 7240. `wait=N`: wait N seconds at most for the result' })
  @ApiResponse(PENDING)
  @ApiProblems('invalid_request', 'not_found', 'cancelled', 'state_error', ...JOB_PROBLEMS)
  async getResult(
    @Param('job_id', new ParseUUIDPipe({ exceptionFactory: noSuchJob })) id: string,
    @Query() query: ResultQueryDto,
    @Prefer() preferences: Preferences,
    @HangUp() hangUp: Observable<void>,
    @Req() request: Request,
    @Res({ passthrough: true }) response: Response,
  ): Promise<GenerateReplyDto | PendingReplyDto | StreamableFile> {
    const job = this.generateService.find(id.toLowerCase());
    const wanted = { index: query.output_index, as: wantedResponse(query.response_type, request) };
    const { waitS } = preferences;
    if (waitS === undefined) return this.answer(job, wanted, response);
    const patience = { preferences: { respondAsync: false, waitS }, hangUp, abandons: false };
    return this.waitFor({ job, replayed: false }, patience, wanted, response);
  }

  private async waitFor(
    submission: Submission,
    patience: Patience,
    wanted: Wanted,
    response: Response,
  ): Promise<GenerateReplyDto | PendingReplyDto | StreamableFile> {
    tellReplay(submission, response);
    const state = await this.generateService.wait(submission.job.id, wanted, patience);
    tellApplied(this.generateService.applied(patience.preferences, state), response);
    return this.answer(state, wanted, response);
  }

  private answer(state: JobState, wanted: Wanted, response: Response) {
    if (!isFinal(state)) return this.pend(state, wanted, response);
    const success = expectSuccess(state);
    const { as, index } = wanted;
    switch (as) {
      case 'url':
        return toReply(success, index ?? 0, this.generateService.webhookOf(state.id));
      case 'base64':
        return this.sendBase64(success, index ?? 0);
      case 'file':
        return this.sendFile(success, index, response);
      case 'zip':
      case 'multipart':
        return this.sendBundle(success, as, response);
    }
  }

  private pend(state: JobState, wanted: Wanted, response: Response): PendingReplyDto {
    const { id } = state;
    const url = this.generateService.urlOf(id, wanted);
    response.status(HttpStatus.ACCEPTED).setHeader('Retry-After', '2').setHeader('Location', url);
    return toPending(state, this.generateService.forecast(id), url, this.generateService.webhookOf(id));
  }

  /** Streams the file; from its local copy as a rule, which every storage keeps. */
  private async sendFile(
    state: JobState,
    index: number | null | undefined,
    response: Response,
  ): Promise<StreamableFile> {
    const { key } = pickOutput(state, index ?? 0);
    const { stream, size, contentType } = await openFile(this.storage, key);
    nameJob(state, response);
    response.setHeader('X-Content-Type-Options', 'nosniff');
    return new StreamableFile(stream, {
      type: contentType,
      length: size,
      disposition: `attachment; filename="${key}"`,
    });
  }

  /** The JSON, and the bytes in it. @throws ProblemException `result_too_large`, with where the file is */
  private async sendBase64(state: JobState, index: number): Promise<GenerateReplyDto> {
    const reply = toReply(state, index, this.generateService.webhookOf(state.id));
    const { key, size, contentType } = pickOutput(state, index);
    this.generateService.expectFitsJson(size, reply.url, state.id);
    const bytes = await buffer((await openFile(this.storage, key)).stream);
    return Object.assign(reply, { content_type: contentType, base64: bytes.toString('base64') });
  }

  /** Streams all files in one, each from where `sendFile` has it. */
  private async sendBundle(
    state: JobState,
    format: BundleFormat,
    response: Response,
  ): Promise<StreamableFile> {
    outputAt(state, 0);
    const madeAt = new Date(state.times.finished ?? state.times.created);
    const { stream, size, contentType } = await bundle(this.storage, format, state.outputs, madeAt);
    nameJob(state, response);
    response.setHeader('X-Content-Type-Options', 'nosniff');
    return new StreamableFile(stream, {
      type: contentType,
      length: size,
      ...(format === 'zip' ? { disposition: `attachment; filename="${state.id}.zip"` } : {}),
    });
  }
}

/** A body of bytes has no room for these: the job, and codes of what went wrong without ending it. */
function nameJob({ id, warnings = [] }: JobState, response: Response): void {
  response.setHeader('Job-Id', id);
  const codes = new Set(warnings.map(({ code }) => code));
  if (codes.size > 0) response.setHeader('Job-Warnings', [...codes].join(', '));
}

/** The job has what it needs. Whoever waits for it may have sent megabytes, which would be held until the end. */
function letGo(request: Request, body: Partial<GenerateFileDto>): void {
  request.body = undefined;
  delete body.workflow_data;
}
