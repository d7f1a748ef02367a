import { Controller, Get, Param, Query, Req, Res, UseFilters } from '@nestjs/common';
import { ApiHeader, ApiOperation, ApiParam, ApiQuery, ApiResponse, ApiTags } from '@nestjs/swagger';
import type { Request, Response } from 'express';
import { deliver } from '../delivery/index.js';
import { ApiProblems, ProblemException, ProblemFilter } from '../problem/index.js';
import { FileLinks, Storage } from '../storage/index.js';

const BYTES = { schema: { type: 'string', format: 'binary' } } as const;

/** Files behind signed links. Brings its filter along: another application that imports this module may have none. */
@UseFilters(ProblemFilter)
@ApiTags('files')
@Controller('files')
export class FilesController {
  constructor(
    private readonly storage: Storage,
    private readonly links: FileLinks,
  ) {}

  @Get(':key')
  @ApiOperation({
    summary: 'Fetch a file by its signed link',
    description:
      'Links come from the replies to jobs and live 30 days. Depending on the settings the answer is the file, or a redirect to a fresh URL of the bucket. HEAD works too.',
  })
  @ApiParam({ name: 'key', description: 'Name of the file', example: 'image_1795460610911_0a1b2c3d4e5f.png' })
  @ApiQuery({ name: 'e', type: String, description: 'Expiry, in seconds since 1970' })
  @ApiQuery({ name: 'k', type: String, description: 'Id of the signing secret' })
  @ApiQuery({ name: 's', type: String, description: 'Signature' })
  @ApiHeader({ name: 'Range', required: false, description: 'One range of bytes' })
  @ApiHeader({ name: 'If-None-Match', required: false })
  @ApiResponse({
    status: 200,
    description: 'The file',
    content: { 'image/png': BYTES, 'application/octet-stream': BYTES },
  })
  @ApiResponse({
    status: 206,
    description: 'The part asked for',
    content: { 'image/png': BYTES, 'application/octet-stream': BYTES },
  })
  @ApiResponse({
    status: 302,
    description: 'The file is in the bucket',
    headers: {
      Location: {
        description: 'A URL of the bucket, good for an hour at most',
        schema: { type: 'string', format: 'uri' },
      },
    },
  })
  @ApiResponse({ status: 304, description: 'The reader has it' })
  @ApiProblems(
    'invalid_request',
    'link_invalid',
    'not_found',
    'link_expired',
    'precondition_failed',
    'range_not_satisfiable',
    'internal_error',
    'storage_error',
  )
  async getFile(
    @Param('key') key: string,
    @Query() query: Record<string, unknown>,
    @Req() request: Request,
    @Res() response: Response,
  ): Promise<void> {
    const secondsLeft = this.admit(key, query);
    await deliver(this.storage, key, secondsLeft, request, response);
  }

  /** @returns seconds that the link is still good for, at least 1 */
  private admit(key: string, query: Record<string, unknown>): number {
    const verdict = this.links.verify(key, query);
    if (verdict.kind === 'valid')
      return Math.max(1, Math.floor((verdict.expiresAt.getTime() - Date.now()) / 1_000));
    throw verdict.kind === 'expired'
      ? new ProblemException('link_expired', 'This link was good for a limited time, which is over.')
      : new ProblemException('link_invalid', 'This link was not made here, or was changed on its way.');
  }
}
