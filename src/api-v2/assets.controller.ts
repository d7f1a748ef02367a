import {
  Controller,
  Delete,
  Get,
  Head,
  HttpCode,
  HttpStatus,
  Inject,
  Param,
  Post,
  Req,
  Res,
  UseFilters,
  UseInterceptors,
} from '@nestjs/common';
import {
  ApiBody,
  ApiConsumes,
  ApiHeader,
  ApiOperation,
  ApiParam,
  ApiResponse,
  ApiTags,
} from '@nestjs/swagger';
import type { Request, Response } from 'express';
import { type Asset, Assets, HASH_PATTERN } from '../assets/index.js';
import { ComfyService } from '../comfy/index.js';
import { deliver } from '../delivery/index.js';
import {
  ApiContractErrors,
  BODY_PROBLEMS,
  fieldProblem,
  ProblemException,
  ProblemFilter,
} from '../problem/index.js';
import { originOf } from '../request/index.js';
import { Storage } from '../storage/index.js';
import type { UploadedFile } from '../upload/index.js';
import { API_V2_OPTIONS, type ApiV2Options } from './api-v2.module-definition.js';
import { AssetFromHashDto, ContractAssetDto, PostAssetsDto } from './assets.dto.js';
import { FOR_EVER_MS } from './contract-job.js';
import { UploadFormInterceptor } from './upload-form.interceptor.js';
import { labelOf, readUploadFields } from './upload-form.js';

const BYTES = { schema: { type: 'string', format: 'binary' } } as const;
const ID = { name: 'id', schema: { type: 'string', format: 'uuid' } } as const;

/** Where files are uploaded. */
export const UPLOAD_PATH = '/api/v2/assets';

/** Seconds that an answer with the bytes may be kept: they never change, but an asset can be removed. */
const CACHE_S = 3_600;

/** Comfy API v2: files for workflows, and files that jobs made. */
@UseFilters(ProblemFilter)
@ApiTags('assets (Comfy API v2)')
@Controller('api/v2/assets')
export class AssetsController {
  constructor(
    private readonly assets: Assets,
    private readonly storage: Storage,
    private readonly comfy: ComfyService,
    @Inject(API_V2_OPTIONS) private readonly options: ApiV2Options,
  ) {}

  @Post()
  @UseInterceptors(UploadFormInterceptor)
  @ApiOperation({
    summary: 'Upload a file',
    description:
      'Streamed into storage and hashed on the way. Bytes that are here already are not kept twice, so sending a file again costs nothing but the time; an `Idempotency-Key` is not needed, and not looked at.',
  })
  @ApiConsumes('multipart/form-data')
  @ApiBody({ type: PostAssetsDto })
  @ApiResponse({ status: 200, description: 'The bytes were here already', type: ContractAssetDto })
  @ApiResponse({ status: 201, description: 'The file is stored', type: ContractAssetDto })
  @ApiContractErrors(
    'invalid_request',
    'origin_not_allowed',
    'hash_mismatch',
    ...BODY_PROBLEMS,
    'payload_too_large',
    'unsupported_media_type',
    'internal_error',
    'storage_error',
    'state_error',
    'storage_full',
  )
  async postAssets(
    @Req() request: Request,
    @Res({ passthrough: true }) response: Response,
  ): Promise<ContractAssetDto> {
    const file = request.file as (Express.Multer.File & UploadedFile) | undefined;
    if (file === undefined) {
      throw fieldProblem({
        field: 'file',
        message: 'is missing: send multipart/form-data with the bytes in it',
      });
    }
    const details = await this.readFields(request, file);
    const { asset, createdNew } = await this.assets.adopt(file.received, {
      ...details,
      path: details.path ?? labelOf(file.originalname),
    });
    response.status(createdNew ? HttpStatus.CREATED : HttpStatus.OK);
    return this.show(asset, request, createdNew);
  }

  @Post('from-hash')
  @ApiOperation({ summary: 'Make an asset of bytes that are here already' })
  @ApiBody({ type: AssetFromHashDto })
  @ApiResponse({ status: 200, description: 'There is such an asset already', type: ContractAssetDto })
  @ApiResponse({ status: 201, description: 'The asset is made', type: ContractAssetDto })
  @ApiContractErrors(
    'invalid_request',
    'origin_not_allowed',
    'blob_not_found',
    ...BODY_PROBLEMS,
    'payload_too_large',
    'unsupported_media_type',
    'internal_error',
    'state_error',
  )
  async assetFromHash(
    @Req() request: Request,
    @Res({ passthrough: true }) response: Response,
  ): Promise<ContractAssetDto> {
    const body: unknown = request.body;
    if (typeof body !== 'object' || body === null || Array.isArray(body)) {
      throw new ProblemException('invalid_request', 'The body must be a JSON object.');
    }
    const { path, expectedHash, expiresInS } = readUploadFields(body as Record<string, unknown>, 'hash');
    if (expectedHash === undefined) throw fieldProblem({ field: 'hash', message: 'is missing' });
    const { asset, createdNew } = await this.assets.fromHash(expectedHash, path, expiresInS);
    response.status(createdNew ? HttpStatus.CREATED : HttpStatus.OK);
    return this.show(asset, request, createdNew);
  }

  @Head('by-hash/:hash')
  @ApiOperation({ summary: 'Are these bytes here?' })
  @ApiParam({ name: 'hash', description: '`blake3:<64 hex digits>`' })
  @ApiResponse({ status: 200, description: 'Yes' })
  @ApiResponse({ status: 404, description: 'No' })
  async headAssetByHash(@Param('hash') hash: string, @Res() response: Response): Promise<void> {
    const here = HASH_PATTERN.test(hash) && (await this.assets.hasHash(hash));
    response.status(here ? HttpStatus.OK : HttpStatus.NOT_FOUND).end();
  }

  @Get(':id')
  @ApiOperation({ summary: 'What is known of an asset' })
  @ApiParam(ID)
  @ApiResponse({ status: 200, description: 'The asset', type: ContractAssetDto })
  @ApiContractErrors('not_found', 'internal_error', 'state_error')
  async getAsset(@Param('id') id: string, @Req() request: Request): Promise<ContractAssetDto> {
    return this.show(this.find(id), request);
  }

  @Get(':id/content')
  @ApiOperation({
    summary: 'The bytes of an asset',
    description:
      'Or a redirect to a fresh URL of the bucket, where readers are sent there (OSS_URL_MODE). HEAD works too.',
  })
  @ApiParam(ID)
  @ApiHeader({ name: 'Range', required: false, description: 'One range of bytes' })
  @ApiHeader({ name: 'If-None-Match', required: false })
  @ApiResponse({ status: 200, description: 'The file', content: { 'application/octet-stream': BYTES } })
  @ApiResponse({
    status: 206,
    description: 'The part asked for',
    content: { 'application/octet-stream': BYTES },
  })
  @ApiResponse({
    status: 302,
    description: 'The file is in the bucket',
    headers: { Location: { description: 'A URL of the bucket', schema: { type: 'string', format: 'uri' } } },
  })
  @ApiResponse({ status: 304, description: 'The reader has it' })
  @ApiContractErrors(
    'not_found',
    'precondition_failed',
    'range_not_satisfiable',
    'internal_error',
    'storage_error',
    'state_error',
  )
  async getAssetContent(
    @Param('id') id: string,
    @Req() request: Request,
    @Res() response: Response,
  ): Promise<void> {
    await deliver(this.storage, this.find(id).file, CACHE_S, request, response);
  }

  @Delete(':id')
  @HttpCode(HttpStatus.NO_CONTENT)
  @ApiOperation({
    summary: 'Remove an asset',
    description: 'Its bytes go as well, where no other asset names them.',
  })
  @ApiParam(ID)
  @ApiResponse({ status: 204, description: 'It is gone' })
  @ApiContractErrors('origin_not_allowed', 'not_found', 'asset_in_use', 'internal_error', 'state_error')
  async deleteAsset(@Param('id') id: string): Promise<void> {
    const asset = this.find(id);
    if (this.comfy.needsAsset(asset.id)) {
      throw new ProblemException('asset_in_use', 'A job that has not ended needs this asset.');
    }
    await this.assets.remove(asset.id);
  }

  private find(id: string): Asset {
    const asset = this.assets.find(id);
    if (asset === undefined)
      throw new ProblemException('not_found', 'There is no such asset, or not any more.');
    return asset;
  }

  /** Where the fields are wrong, the bytes go again. */
  private async readFields(request: Request, { received }: UploadedFile) {
    try {
      return readUploadFields((request.body ?? {}) as Record<string, unknown>);
    } catch (error) {
      await this.assets.dismiss(received);
      throw error;
    }
  }

  private async show(asset: Asset, request: Request, createdNew?: boolean): Promise<ContractAssetDto> {
    const { url, expiresAt } = await this.storage.link({ key: asset.file });
    const gone = asset.expiresAt ?? Date.now() + FOR_EVER_MS;
    return {
      id: asset.id,
      hash: asset.hash,
      size_bytes: asset.size,
      content_type: asset.contentType,
      file_path: asset.path,
      ...(createdNew === undefined ? {} : { created_new: createdNew }),
      created_at: new Date(asset.createdAt).toISOString(),
      url: new URL(url, `${originOf(request, this.options.baseUrl)}/`).href,
      url_expires_at: (expiresAt ?? new Date(gone)).toISOString(),
      expires_at: asset.expiresAt === null ? null : new Date(asset.expiresAt).toISOString(),
      job_id: asset.job,
    };
  }
}
