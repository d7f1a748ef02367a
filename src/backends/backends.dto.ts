import { ApiProperty, ApiSchema } from '@nestjs/swagger';

const TIME = '2026-11-24T09:30:00.000Z';

/** A job that a backend has. */
@ApiSchema({ name: 'BackendJob', description: 'A job that a backend has.' })
export class BackendJobDto {
  /** The job. */
  @ApiProperty({ format: 'uuid', example: '7b87c392-de65-410f-9557-0ac08ad2a975' })
  job_id!: string;
  /** When the backend got it. */
  @ApiProperty({ type: 'string', format: 'date-time', example: TIME })
  given_at!: string;
  /** When ComfyUI began with it; null: it waits there behind another one. */
  @ApiProperty({ type: 'string', format: 'date-time', nullable: true, example: TIME })
  begun_at!: string | null;
}

/** A model file that jobs of a backend have used. */
@ApiSchema({ name: 'BackendModel', description: 'A model file that jobs of a backend have used.' })
export class BackendModelDto {
  @ApiProperty({ example: 'sd15.safetensors' })
  name!: string;
  /** When the last job that uses it was given to the backend. */
  @ApiProperty({ type: 'string', format: 'date-time', example: TIME })
  used_at!: string;
}

/** What a backend was blamed for. */
@ApiSchema({ name: 'BackendError', description: 'What a backend was blamed for.' })
export class BackendErrorDto {
  @ApiProperty({ example: 'The backend was lost while the job ran.' })
  message!: string;
  @ApiProperty({ type: 'string', format: 'date-time', example: TIME })
  at!: string;
}

/** One ComfyUI. */
@ApiSchema({ name: 'Backend', description: 'One ComfyUI.' })
export class BackendDto {
  /** Host, port and base path, as in COMFYUI_SERVER. */
  @ApiProperty({ example: '127.0.0.1:8188' })
  name!: string;
  /** `unreachable`: no connection. `checking`: connected, and being examined. `ready`: found in order. */
  @ApiProperty({ type: 'string', enum: ['unreachable', 'checking', 'ready'], example: 'ready' })
  state!: 'unreachable' | 'checking' | 'ready';
  /** Since when it is in that state. */
  @ApiProperty({ type: 'string', format: 'date-time', example: TIME })
  since!: string;
  /** `closed`: trusted with jobs. `open`: too many failed there, it rests. `half_open`: it has rested, and gets one on trial. */
  @ApiProperty({ type: 'string', enum: ['closed', 'open', 'half_open'], example: 'closed' })
  circuit!: 'closed' | 'open' | 'half_open';
  /** When its rest is over; null: it does not rest. */
  @ApiProperty({ type: 'string', format: 'date-time', nullable: true, example: null })
  rests_until!: string | null;
  /** An operator said that it gets no more jobs. */
  @ApiProperty({ example: false })
  draining!: boolean;
  /** It gets jobs, now or as soon as a slot is free. */
  @ApiProperty({ example: true })
  usable!: boolean;
  /** Prompts that it may hold at once. */
  @ApiProperty({ type: 'integer', minimum: 1, example: 2 })
  slots!: number;
  /** Slots that are taken: by a job, or by one that is still being stopped. */
  @ApiProperty({ type: 'integer', minimum: 0, example: 1 })
  busy_slots!: number;
  /** Jobs that it has, the first one first. */
  @ApiProperty({ type: () => [BackendJobDto] })
  jobs!: BackendJobDto[];
  /** Models used lately, the newest first. */
  @ApiProperty({ type: () => [BackendModelDto] })
  models!: BackendModelDto[];
  /** Jobs rendered since the start. */
  @ApiProperty({ type: 'integer', minimum: 0, example: 1204 })
  succeeded!: number;
  /** Tries that failed there since the start, whoever was to blame. */
  @ApiProperty({ type: 'integer', minimum: 0, example: 3 })
  failed!: number;
  /** The last thing it was blamed for; null: nothing. */
  @ApiProperty({ type: () => BackendErrorDto, nullable: true, example: null })
  last_error!: BackendErrorDto | null;
}

/** All ComfyUIs, and the line before them. */
@ApiSchema({ name: 'Backends', description: 'All ComfyUIs, and the line before them.' })
export class BackendsDto {
  @ApiProperty({ type: () => [BackendDto] })
  backends!: BackendDto[];
  /** Jobs that wait for one. */
  @ApiProperty({ type: 'integer', minimum: 0, example: 0 })
  waiting!: number;
}
