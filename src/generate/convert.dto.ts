import { ApiProperty, ApiPropertyOptional, ApiSchema } from '@nestjs/swagger';
import { IsBoolean, IsIn, IsInt, IsOptional, Max, Min } from 'class-validator';
import { TARGET_FORMATS, type TargetFormat } from '../images/index.js';
import { NotWith } from './not-with.decorator.js';

/** Larger than any format takes. */
const MAX_SIDE = 65_535;

/** What becomes of the images. */
@ApiSchema({ name: 'Convert', description: 'What becomes of the images.' })
export class ConvertDto {
  /** What the images are converted to. Animations can become `webp` only. */
  @ApiProperty({ type: 'string', enum: TARGET_FORMATS, example: 'webp' })
  @IsIn(TARGET_FORMATS, { message: `must be one of ${TARGET_FORMATS.join(', ')}` })
  format!: TargetFormat;

  /** How good it is to look, against the size of the file; not for `png`, which loses nothing. Default: 90, for `avif` 60. */
  @ApiPropertyOptional({ type: 'integer', minimum: 1, maximum: 100, example: 90 })
  @IsOptional()
  @IsInt({ message: 'must be a whole number' })
  @Min(1, { message: 'must be 1 or more' })
  @Max(100, { message: 'must be 100 or less' })
  @NotWith('format', 'png', 'is for jpeg, webp and avif: png loses nothing')
  quality?: number;

  /** Pixels. The image is made to fit, with its proportions, and never enlarged. */
  @ApiPropertyOptional({ type: 'integer', minimum: 1, maximum: MAX_SIDE, example: 1_024 })
  @IsOptional()
  @IsInt({ message: 'must be a whole number' })
  @Min(1, { message: 'must be 1 or more' })
  @Max(MAX_SIDE, { message: `must be ${MAX_SIDE} or less` })
  max_width?: number;

  /** As `max_width`. */
  @ApiPropertyOptional({ type: 'integer', minimum: 1, maximum: MAX_SIDE, example: 1_024 })
  @IsOptional()
  @IsInt({ message: 'must be a whole number' })
  @Min(1, { message: 'must be 1 or more' })
  @Max(MAX_SIDE, { message: `must be ${MAX_SIDE} or less` })
  max_height?: number;

  /** Nothing but the picture: no workflow, no EXIF. Default: as STRIP_METADATA. */
  @ApiPropertyOptional({ type: 'boolean', example: true })
  @IsOptional()
  @IsBoolean({ message: 'must be true or false' })
  strip_metadata?: boolean;
}
