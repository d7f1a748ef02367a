import { Controller, Get, UseFilters } from '@nestjs/common';
import { ApiExtraModels, ApiOperation, ApiResponse, ApiTags, getSchemaPath } from '@nestjs/swagger';
import {
  HealthCheck,
  HealthCheckService,
  HealthIndicatorService,
  type HealthCheckResult,
} from '@nestjs/terminus';
import { ComfyService } from '../comfy/index.js';
import { Storage } from '../storage/index.js';
import { HealthDto } from './health.dto.js';
import { HealthFilter } from './health.filter.js';
import { canOpenFiles } from './open-files.js';

const BACKENDS = { usable: 1, connected: 1, total: 1, waiting: 0 };
const STORAGE = { storage: { status: 'up', kind: 'local' }, files: { status: 'up' } };
const READY = { backends: { status: 'up', ...BACKENDS }, ...STORAGE };
const REASONS = [{ backend: 1, reason: 'connection refused' }];
const DOWN = { backends: { status: 'down', ...BACKENDS, usable: 0, connected: 0, reasons: REASONS } };

const answer = (example: object) => ({
  'application/json': { schema: { $ref: getSchemaPath(HealthDto) }, example },
});

/** For Kubernetes and load balancers. */
@ApiTags('health')
@ApiExtraModels(HealthDto)
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
  @ApiOperation({
    operationId: 'getLiveness',
    summary: 'Is the process alive?',
    description: 'The process runs and answers. Restart it where this fails.',
  })
  @ApiResponse({
    status: 200,
    description: 'It is',
    content: answer({ status: 'ok', info: {}, error: {}, details: {} }),
  })
  @HealthCheck({ noCache: true, swaggerDocumentation: false })
  live(): Promise<HealthCheckResult> {
    return this.health.check([]);
  }

  /** Send traffic here only while this answers 200: a backend is usable, and files can be stored. */
  @Get('ready')
  @ApiOperation({
    operationId: 'getReadiness',
    summary: 'Can workflows be run now?',
    description:
      'Send traffic here only while this answers 200: a backend is usable, files can be opened and stored, and the server is not stopping.',
  })
  @ApiResponse({
    status: 200,
    description: 'They can',
    content: answer({ status: 'ok', info: READY, error: {}, details: READY }),
  })
  @ApiResponse({
    status: 503,
    description: 'Not now; `error` says why',
    content: answer({ status: 'error', info: STORAGE, error: DOWN, details: { ...DOWN, ...STORAGE } }),
  })
  @HealthCheck({ noCache: true, swaggerDocumentation: false })
  ready(): Promise<HealthCheckResult> {
    return this.health.check([() => this.backends(), () => this.storageState(), () => this.openFiles()]);
  }

  private backends() {
    const { backends, accepting, waiting } = this.comfy;
    const connected = backends.filter((backend) => backend.connected).length;
    const usable = accepting ? backends.filter((backend) => backend.usable).length : 0;
    const reasons = backends.flatMap(({ trouble }, index) =>
      trouble === undefined ? [] : [{ backend: index + 1, reason: trouble }],
    );
    const details = {
      usable,
      connected,
      total: backends.length,
      waiting,
      ...(reasons.length === 0 ? {} : { reasons }),
    };
    const check = this.indicator.check('backends');
    return usable > 0 ? check.up(details) : check.down(details);
  }

  private async openFiles() {
    const check = this.indicator.check('files');
    return (await canOpenFiles()) ? check.up() : check.down({ detail: 'Too many files are open.' });
  }

  private async storageState() {
    const { ok, detail } = await this.storage.check();
    const details = { kind: this.storage.kind, ...(detail === undefined ? {} : { detail }) };
    const check = this.indicator.check('storage');
    return ok ? check.up(details) : check.down(details);
  }
}
