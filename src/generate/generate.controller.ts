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
import { Observable } from 'rxjs';
import { isFinal, type JobState } from '../comfy/index.js';
import { ApiProblems, ProblemException } from '../problem/index.js';
import { Caller, CALLER_HEADER, HangUp } from '../request/index.js';
import { Storage } from '../storage/index.js';
import {
  GenerateDto,
  GenerateFileDto,
  GenerateReplyDto,
  PendingReplyDto,
  REPLY_EXAMPLE,
  ResultQueryDto,
  WORKFLOW_EXAMPLE,
} from './generate.dto.js';
import { expectSuccess, pickOutput, toPending, toReply } from './generate.reply.js';
import { GenerateService } from './generate.service.js';
import { wantsFile } from './wants-file.js';

const FILE_CONTENT = { schema: { type: 'string', format: 'binary' } } as const;
const FILE_TYPES = ['image/png', 'image/jpeg', 'image/webp', 'video/mp4', 'application/octet-stream'];
const FILE = Object.fromEntries(FILE_TYPES.map((type) => [type, FILE_CONTENT]));
const JSON_REPLY = {
  'application/json': { schema: { $ref: getSchemaPath(GenerateReplyDto) }, example: REPLY_EXAMPLE },
};
const FILE_REPLY_HEADERS = {
  'Job-Id': {
    description: 'With a file: the job that made it',
    schema: { type: 'string', format: 'uuid' },
    example: REPLY_EXAMPLE.job_id,
  },
} as const;
const RETRY_AFTER = {
  'Retry-After': {
    description: 'Seconds until asking again makes sense',
    schema: { type: 'integer' },
    example: 2,
  },
} as const;

const CALL = { workflow_data: WORKFLOW_EXAMPLE, output_node_id: 277 };
const CALL_EXAMPLES = {
  node: { summary: 'The file of a node', value: CALL },
  any: { summary: 'Whatever the workflow makes', value: { workflow_data: WORKFLOW_EXAMPLE } },
};

/** How a job can fail, whenever it is asked for. */
const JOB_PROBLEMS = [
  'invalid_workflow',
  'no_output',
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
  'payload_too_large',
  'unsupported_media_type',
  'workflow_format_ui',
  'output_node_not_found',
  'queue_full',
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
  @ApiOperation({
    summary: 'Run a workflow, answer with the URL of its picture',
    description:
      'Answers when the picture is stored. With `response_type: "file"`, or an `Accept` header that prefers a file to JSON (`image/*`), the answer is the file itself; generated clients call `generateFile` for that, whose type says so. Hanging up cancels the job.',
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
    headers: FILE_REPLY_HEADERS,
    content: { ...JSON_REPLY, ...FILE },
  })
  @ApiHeader(CALLER_HEADER)
  @ApiProblems(...CALL_PROBLEMS)
  async generate(
    @Body() body: GenerateDto,
    @Caller() caller: string,
    @HangUp() hangUp: Observable<void>,
    @Req() request: Request,
    @Res({ passthrough: true }) response: Response,
  ): Promise<GenerateReplyDto | StreamableFile> {
    const state = await this.generateService.run(body, caller, hangUp);
    return this.answer(state, body.output_index, wantsFile(body.response_type, request), response);
  }

  @Post('generate_file')
  @HttpCode(HttpStatus.OK)
  @ApiOperation({
    summary: 'Run a workflow, answer with the file it makes',
    description:
      'Answers with the bytes as ComfyUI made them, as an attachment, once they are stored. Hanging up cancels the job.',
  })
  @ApiBody({ type: GenerateFileDto, examples: CALL_EXAMPLES })
  @ApiResponse({
    status: 200,
    description: 'The file; its type is that of the bytes',
    headers: FILE_REPLY_HEADERS,
    content: FILE,
  })
  @ApiHeader(CALLER_HEADER)
  @ApiProblems(...CALL_PROBLEMS)
  async generateFile(
    @Body() body: GenerateFileDto,
    @Caller() caller: string,
    @HangUp() hangUp: Observable<void>,
    @Res({ passthrough: true }) response: Response,
  ): Promise<StreamableFile> {
    const state = await this.generateService.run(body, caller, hangUp);
    return this.sendFile(state, body.output_index, response);
  }

  @Get('generate/:job_id')
  @ApiOperation({
    summary: 'Ask for the result of a call that waited too long',
    description:
      'The same answer as that call would have got, once it is there; 202 until then. The last thousand jobs are remembered, until a restart.',
  })
  @ApiParam({
    name: 'job_id',
    description: '`job_id` of the answer that was too late',
    schema: { type: 'string', format: 'uuid', example: REPLY_EXAMPLE.job_id },
  })
  @ApiResponse({
    status: 200,
    description: 'The result, or the file itself',
    headers: FILE_REPLY_HEADERS,
    content: { ...JSON_REPLY, ...FILE },
  })
  @ApiResponse({
    status: 202,
    description: 'Not ready yet',
    headers: RETRY_AFTER,
    content: { 'application/json': { schema: { $ref: getSchemaPath(PendingReplyDto) } } },
  })
  @ApiProblems('invalid_request', 'not_found', 'cancelled', ...JOB_PROBLEMS)
  async getResult(
    @Param('job_id', new ParseUUIDPipe({ exceptionFactory: notAJobId })) id: string,
    @Query() query: ResultQueryDto,
    @Req() request: Request,
    @Res({ passthrough: true }) response: Response,
  ): Promise<GenerateReplyDto | PendingReplyDto | StreamableFile> {
    const state = this.generateService.find(id.toLowerCase());
    if (!isFinal(state)) {
      response.status(HttpStatus.ACCEPTED).setHeader('Retry-After', '2');
      return toPending(state, this.generateService.forecast(state.id));
    }
    const file = wantsFile(query.response_type, request);
    return this.answer(expectSuccess(state), query.output_index, file, response);
  }

  private answer(state: JobState, index: number | undefined, file: boolean, response: Response) {
    return file ? this.sendFile(state, index, response) : toReply(state, index ?? 0);
  }

  /** Streams the local copy, which every storage keeps. */
  private async sendFile(
    state: JobState,
    index: number | undefined,
    response: Response,
  ): Promise<StreamableFile> {
    const { key } = pickOutput(state, index ?? 0);
    const { stream, size, contentType } = await this.storage.open(key);
    response.setHeader('Job-Id', state.id);
    response.setHeader('X-Content-Type-Options', 'nosniff');
    return new StreamableFile(stream, {
      type: contentType,
      length: size,
      disposition: `attachment; filename="${key}"`,
    });
  }
}

function notAJobId(): ProblemException {
  return new ProblemException('not_found', 'There is no such job, or it ended too long ago.');
}
