import { Controller, Get, Inject, Param, Req, Res, UseFilters } from '@nestjs/common';
import { ApiHeader, ApiOperation, ApiParam, ApiResponse, ApiTags } from '@nestjs/swagger';
import type { Request, Response } from 'express';
import type { Observable } from 'rxjs';
import { Assets } from '../assets/index.js';
import { isFinal } from '../comfy/index.js';
import { JobFeed } from '../feed/index.js';
import { ApiContractErrors, ProblemFilter } from '../problem/index.js';
import { Caller, HangUp } from '../request/index.js';
import { API_V2_OPTIONS, type ApiV2Options } from './api-v2.module-definition.js';
import { ContractEvents } from './contract-events.js';
import { ContractJobs } from './contract-jobs.js';
import { EventIds } from './event-ids.js';
import { EventStream } from './event-stream.js';
import { replyContext } from './reply-context.js';

/** Comfy API v2: a job's events. */
@UseFilters(ProblemFilter)
@ApiTags('jobs (Comfy API v2)')
@Controller('api/v2/jobs/:id/events')
export class EventsController {
  private readonly events = new ContractEvents();

  constructor(
    private readonly jobs: ContractJobs,
    private readonly feed: JobFeed,
    private readonly assets: Assets,
    @Inject(API_V2_OPTIONS) private readonly options: ApiV2Options,
  ) {}

  @Get()
  @ApiOperation({
    summary: 'Follow a job',
    description:
      'Server-sent events: `status`, `progress`, `preview` (base64), `output`, `log`. How the job is now comes first; the stream ends after the final `status`. A slow reader gets the newest state, not every one. Events have an `id`; a reader that comes back with the id of the last one gets 204, so that `EventSource` stops.',
  })
  @ApiParam({ name: 'id', schema: { type: 'string', format: 'uuid' } })
  @ApiResponse({
    status: 200,
    description: 'The events',
    content: { 'text/event-stream': { schema: { type: 'string' } } },
  })
  @ApiHeader({
    name: 'Last-Event-ID',
    required: false,
    description: 'Sent by `EventSource` when it connects again',
    schema: { type: 'string' },
  })
  @ApiResponse({ status: 204, description: 'The job has ended, and the reader knows' })
  @ApiContractErrors('not_found', 'too_many_streams', 'internal_error', 'state_error')
  getJobEvents(
    @Param('id') id: string,
    @Caller() caller: string,
    @HangUp() hangUp: Observable<void>,
    @Req() request: Request,
    @Res() response: Response,
  ): void {
    const job = this.jobs.find(id);
    if (request.method === 'HEAD') {
      response.status(200).type('text/event-stream').end();
      return;
    }
    const ids = new EventIds(job.id);
    const lastEventId = request.header('Last-Event-ID');
    if (lastEventId !== undefined && isFinal(job) && !ids.isBeforeEnd(lastEventId)) {
      // The only answer after which `EventSource` does not connect again.
      response.status(204).end();
      return;
    }
    const context = replyContext(request, this.options, this.assets);
    const stream = new EventStream(response, (change) => this.events.frameOf(change, job, context), ids);
    const subscription = this.feed.watch(job.id, stream, caller);
    // Only now: where too many watch, the answer is another.
    stream.open();
    subscription.add(() => stream.end());
    subscription.add(hangUp.subscribe(() => subscription.unsubscribe()));
  }
}
