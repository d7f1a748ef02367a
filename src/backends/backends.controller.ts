import { Controller, Get, HttpCode, HttpStatus, Param, Post, UseGuards } from '@nestjs/common';
import { ApiBearerAuth, ApiOperation, ApiParam, ApiResponse, ApiTags } from '@nestjs/swagger';
import { AdminGuard } from '../admin/index.js';
import { type BackendStatus, ComfyService } from '../comfy/index.js';
import { ApiProblems, ProblemException } from '../problem/index.js';
import { BackendDto, BackendsDto } from './backends.dto.js';

const NAME = {
  name: 'name',
  description: 'Name of the backend, as the list gives it; a `/` in it is written `%2F`',
  schema: { type: 'string', example: '127.0.0.1:8188' },
} as const;

/** For operators. */
@ApiTags('backends')
@ApiBearerAuth('admin')
@UseGuards(AdminGuard)
@ApiProblems('unauthorized')
@Controller('api/backends')
export class BackendsController {
  constructor(private readonly comfy: ComfyService) {}

  @Get()
  @ApiOperation({
    summary: 'How every backend is',
    description: 'Needs `ADMIN_TOKEN` where that is set, as the other calls about backends do.',
  })
  @ApiResponse({ status: 200, description: 'In the order of COMFYUI_SERVER', type: BackendsDto })
  listBackends(): BackendsDto {
    return { backends: this.comfy.backends.map(toDto), waiting: this.comfy.waiting };
  }

  @Post(':name/drain')
  @HttpCode(HttpStatus.OK)
  @ApiOperation({
    summary: 'Give a backend no more jobs',
    description:
      'What it has it finishes; once `busy_slots` is 0 it can be restarted or taken away. Lasts until `undrain`, or until this server restarts.',
  })
  @ApiParam(NAME)
  @ApiResponse({ status: 200, description: 'How it is now', type: BackendDto })
  @ApiProblems('origin_not_allowed', 'not_found')
  drainBackend(@Param('name') name: string): BackendDto {
    return expectFound(this.comfy.drain(name));
  }

  @Post(':name/undrain')
  @HttpCode(HttpStatus.OK)
  @ApiOperation({ summary: 'Give a backend jobs again' })
  @ApiParam(NAME)
  @ApiResponse({ status: 200, description: 'How it is now', type: BackendDto })
  @ApiProblems('origin_not_allowed', 'not_found')
  undrainBackend(@Param('name') name: string): BackendDto {
    return expectFound(this.comfy.undrain(name));
  }
}

/** @throws ProblemException `not_found` */
function expectFound(status: BackendStatus | undefined): BackendDto {
  if (status === undefined) throw new ProblemException('not_found', 'There is no backend of this name.');
  return toDto(status);
}

function toDto(status: BackendStatus): BackendDto {
  const { name, phase, circuit, draining, usable, slots, lastFailure } = status;
  return {
    name,
    state: phase,
    since: iso(status.phaseSince),
    circuit: circuit.state,
    rests_until: circuit.state === 'open' ? iso(circuit.until) : null,
    draining,
    usable,
    slots,
    busy_slots: status.busySlots,
    jobs: status.running.map(({ job, givenAt, begunAt }) => ({
      job_id: job,
      given_at: iso(givenAt),
      begun_at: begunAt === undefined ? null : iso(begunAt),
    })),
    models: status.models.map((model) => ({ name: model.name, used_at: iso(model.at) })),
    succeeded: status.succeeded,
    failed: status.failed,
    last_error: lastFailure === undefined ? null : { message: lastFailure.message, at: iso(lastFailure.at) },
  };
}

function iso(ms: number): string {
  return new Date(ms).toISOString();
}
