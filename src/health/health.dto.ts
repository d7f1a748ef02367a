import { ApiProperty, ApiPropertyOptional, ApiSchema } from '@nestjs/swagger';

/** What every part says of itself. */
class PartDto {
  /** `up`: fine. `down`: it is why the answer is 503. */
  @ApiProperty({ type: 'string', enum: ['up', 'down'], example: 'up' })
  status!: 'up' | 'down';
}

/** Why a ComfyUI gets no jobs. */
@ApiSchema({ name: 'BackendReason', description: 'Why a ComfyUI gets no jobs.' })
export class BackendReasonDto {
  /** Its place in COMFYUI_SERVER; the first is 1. */
  @ApiProperty({ type: 'integer', minimum: 1, example: 1 })
  backend!: number;
  /** In a few words. */
  @ApiProperty({ example: 'connection refused' })
  reason!: string;
}

/** The ComfyUI servers. */
@ApiSchema({ name: 'BackendsHealth', description: 'The ComfyUI servers.' })
export class BackendsHealthDto extends PartDto {
  /** Those that get jobs: in order, not drained, and not resting after failures. None while the server stops. */
  @ApiProperty({ type: 'integer', minimum: 0, example: 1 })
  usable!: number;
  /** Those that can be reached now. */
  @ApiProperty({ type: 'integer', minimum: 0, example: 1 })
  connected!: number;
  /** Those in the settings. */
  @ApiProperty({ type: 'integer', minimum: 1, example: 1 })
  total!: number;
  /** Jobs that wait for one. */
  @ApiProperty({ type: 'integer', minimum: 0, example: 0 })
  waiting!: number;
  /** Why some get no jobs, as far as that is known; absent where there is none. */
  @ApiPropertyOptional({ type: () => [BackendReasonDto] })
  reasons?: BackendReasonDto[];
}

/** Where files are stored. */
@ApiSchema({ name: 'StorageHealth', description: 'Where files are stored.' })
export class StorageHealthDto extends PartDto {
  /** Where files go. */
  @ApiProperty({ type: 'string', enum: ['local', 'oss'], example: 'local' })
  kind!: 'local' | 'oss';
  /** What is wrong. */
  @ApiPropertyOptional({ example: 'The output folder is gone.' })
  detail?: string;
}

/** Whether files can be opened. */
@ApiSchema({ name: 'FilesHealth', description: 'Whether files can be opened.' })
export class FilesHealthDto extends PartDto {
  /** What is wrong. */
  @ApiPropertyOptional({ example: 'Too many files are open.' })
  detail?: string;
}

/** Parts by name. */
@ApiSchema({ name: 'HealthParts', description: 'Parts by name; the check of the process has none.' })
export class HealthPartsDto {
  @ApiPropertyOptional({ type: () => BackendsHealthDto })
  backends?: BackendsHealthDto;
  @ApiPropertyOptional({ type: () => StorageHealthDto })
  storage?: StorageHealthDto;
  @ApiPropertyOptional({ type: () => FilesHealthDto })
  files?: FilesHealthDto;
}

/** How the service is, in the shape that `@nestjs/terminus` gives it. */
@ApiSchema({ name: 'Health', description: 'How the service is.' })
export class HealthDto {
  /** `ok` with 200; `error` or `shutting_down` with 503. */
  @ApiProperty({ type: 'string', enum: ['ok', 'error', 'shutting_down'], example: 'ok' })
  status!: 'ok' | 'error' | 'shutting_down';
  /** Parts that are up. */
  @ApiProperty({ type: () => HealthPartsDto })
  info!: HealthPartsDto;
  /** Parts that are down. */
  @ApiProperty({ type: () => HealthPartsDto })
  error!: HealthPartsDto;
  /** All of them. */
  @ApiProperty({ type: () => HealthPartsDto })
  details!: HealthPartsDto;
}
