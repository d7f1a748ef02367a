import { ApiProperty, ApiPropertyOptional, ApiSchema } from '@nestjs/swagger';

const HASH = `blake3:${'0123456789abcdef'.repeat(4)}`;

/** What an upload may say beside the bytes; the fields may come in any order. */
class UploadFieldsDto {
  /** Name of the file; a label. */
  @ApiPropertyOptional({ maxLength: 255, example: 'photo.png' })
  file_path?: string;
  /** Accepted, and not kept. */
  @ApiPropertyOptional({ type: [String] })
  tags?: string[];
  /** Seconds to keep it, in place of RETENTION_DAYS. */
  @ApiPropertyOptional({ type: 'integer', minimum: 60, maximum: 604_800 })
  expires_in?: number;
}

/** A file to upload, as multipart/form-data. */
@ApiSchema({ name: 'PostAssetsBody', description: 'A file to upload, as multipart/form-data.' })
export class PostAssetsDto extends UploadFieldsDto {
  /** The bytes. */
  @ApiProperty({ type: 'string', format: 'binary' })
  file!: unknown;
  /** A hint; the type is read from the bytes. */
  @ApiPropertyOptional({ example: 'image/png' })
  content_type?: string;
  /** What the bytes have to hash to. */
  @ApiPropertyOptional({ example: HASH })
  expected_hash?: string;
}

/** Bytes that are here already. */
@ApiSchema({ name: 'AssetFromHashBody', description: 'Bytes that are here already.' })
export class AssetFromHashDto extends UploadFieldsDto {
  /** `blake3:<64 hex digits>` of the bytes. */
  @ApiProperty({ example: HASH })
  hash!: string;
}

/** A file with an owner. */
@ApiSchema({
  name: 'ContractAsset',
  description: 'A file with an owner: who uploaded it, or the job that made it.',
})
export class ContractAssetDto {
  @ApiProperty({ format: 'uuid' })
  id!: string;
  /** `blake3:<hex>`; null until it was computed, for what jobs made. */
  @ApiProperty({ type: 'string', nullable: true, example: HASH })
  hash!: string | null;
  @ApiProperty({ type: 'integer', format: 'int64', example: 4_752 })
  size_bytes!: number;
  /** Media type, read from the bytes. */
  @ApiProperty({ example: 'image/png' })
  content_type!: string;
  @ApiProperty({ type: 'string', nullable: true, example: 'photo.png' })
  file_path!: string | null;
  /** Where it was just made: false, the bytes were here already. */
  @ApiPropertyOptional()
  created_new?: boolean;
  @ApiProperty({ format: 'date-time' })
  created_at!: string;
  @ApiProperty({ format: 'uri' })
  url!: string;
  @ApiProperty({ format: 'date-time' })
  url_expires_at!: string;
  /** When it is removed; null: never. */
  @ApiProperty({ type: 'string', format: 'date-time', nullable: true, example: null })
  expires_at!: string | null;
  /** The job that made it. */
  @ApiProperty({ type: 'string', format: 'uuid', nullable: true, example: null })
  job_id!: string | null;
}
