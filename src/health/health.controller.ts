import { Controller, Get, UseFilters } from '@nestjs/common';
import { ApiOperation, ApiTags } from '@nestjs/swagger';
import {
  HealthCheck,
  HealthCheckService,
  HealthIndicatorService,
  type HealthCheckResult,
} from '@nestjs/terminus';
import { ComfyService } from '../comfy/index.js';
import { Storage } from '../storage/index.js';
import { HealthFilter } from './health.filter.js';

/** For Kubernetes and load balancers. */
@ApiTags('health')
@UseFilters(HealthFilter)
@Controller('health')
export class HealthController {
  constructor(
    private readonly health: HealthCheckService,
    private readonly indicator: HealthIndicatorService,
    private readonly comfy: ComfyService,
    private readonly storage: Storage,
  ) {}

  /** The process runs and answers. Restart it where this fails. */
  @Get('live')
  @ApiOperation({ summary: 'Is the process alive?' })
  @HealthCheck()
  live(): Promise<HealthCheckResult> {
    return this.health.check([]);
  }

  /** Send traffic here only while this answers 200: a backend is connected, and files can be stored. */
  @Get('ready')
  @ApiOperation({ summary: 'Can workflows be run now?' })
  @HealthCheck()
  ready(): Promise<HealthCheckResult> {
    return this.health.check([() => this.backends(), () => this.storageState()]);
  }

  private backends() {
    const { backends } = this.comfy;
    const connected = backends.filter((backend) => backend.connected).length;
    const details = { connected, total: backends.length, waiting: this.comfy.waiting };
    const check = this.indicator.check('backends');
    return connected > 0 ? check.up(details) : check.down(details);
  }

  private async storageState() {
    const { ok, detail } = await this.storage.check();
    const details = { kind: this.storage.kind, ...(detail === undefined ? {} : { detail }) };
    const check = this.indicator.check('storage');
    return ok ? check.up(details) : check.down(details);
  }
}
