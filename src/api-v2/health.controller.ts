import { Controller, Get, Res, UseFilters } from '@nestjs/common';
import { ApiOperation, ApiResponse, ApiTags } from '@nestjs/swagger';
import type { Response } from 'express';
import { ComfyService } from '../comfy/index.js';
import { ProblemFilter } from '../problem/index.js';
import { ContractHealthDto } from './jobs.dto.js';

/** Comfy API v2: can jobs be run? */
@UseFilters(ProblemFilter)
@ApiTags('jobs (Comfy API v2)')
@Controller('api/v2/health')
export class ContractHealthController {
  constructor(private readonly comfy: ComfyService) {}

  @Get()
  @ApiOperation({ summary: 'Can jobs be run?' })
  @ApiResponse({ status: 200, description: 'Yes', type: ContractHealthDto })
  @ApiResponse({ status: 503, description: 'Not at the moment', type: ContractHealthDto })
  getContractHealth(@Res({ passthrough: true }) response: Response): ContractHealthDto {
    const { backends, accepting, waiting } = this.comfy;
    const usable = backends.filter((backend) => backend.usable).length;
    const ok = accepting && usable > 0;
    if (!ok) response.status(503);
    return {
      status: ok ? 'ok' : 'unavailable',
      usable_backends: usable,
      backends: backends.length,
      queued_jobs: waiting,
    };
  }
}
