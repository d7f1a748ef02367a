import { ApiProperty, ApiPropertyOptional, ApiSchema } from '@nestjs/swagger';
import { WARNING_CODES, type WarningCode } from '../comfy/index.js';

/** Something that went wrong and did not end the job. */
@ApiSchema({ name: 'JobWarning', description: 'Something that went wrong and did not end the job.' })
export class JobWarningDto {
  /**
   * `output_missing`: ComfyUI names a file that is not on its disk. `output_rejected`: a file cannot be fetched, or it is not certain
   * that this job made it. `branch_failed`: another part of the workflow failed, see `node_errors`. `output_blocked`: a node was
   * blocked and made nothing. `input_truncated`: a picture for the workflow is cut off. More may be added.
   */
  @ApiProperty({ type: 'string', enum: WARNING_CODES, example: 'output_missing' })
  code!: WarningCode;
  /** What happened. */
  @ApiProperty({ example: 'ComfyUI names a file that is not on its disk: "b.png".' })
  message!: string;
  /** The node it is about. */
  @ApiPropertyOptional({ example: '277' })
  node_id?: string;
}
