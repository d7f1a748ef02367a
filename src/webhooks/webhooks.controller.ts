import { Controller, Get, HttpCode, HttpStatus, Param, Post, Query, UseGuards } from '@nestjs/common';
import { ApiBearerAuth, ApiOperation, ApiParam, ApiResponse, ApiTags } from '@nestjs/swagger';
import { AdminGuard } from '../admin/index.js';
import { ApiProblems, ProblemException } from '../problem/index.js';
import { readCursor, writeCursor } from '../request/index.js';
import type { Delivery } from './webhook-store.js';
import { toDelivery, toDeliveryWithPayload } from './webhook-view.js';
import { Webhooks } from './webhooks.js';
import {
  DeliveriesDto,
  DeliveryDto,
  DeliveryWithPayloadDto,
  ListDeliveriesQueryDto,
} from './webhooks.dto.js';

const DEFAULT_LIMIT = 20;

const ID = {
  name: 'id',
  description: 'The `webhook-id`',
  schema: { type: 'string', example: 'msg_0b9a1f0e-4c65-4b8e-9d3e-6d1f0f5a8c21' },
} as const;

/** For operators. */
@ApiTags('webhooks')
@ApiBearerAuth('admin')
@UseGuards(AdminGuard)
@Controller('api/webhooks/deliveries')
export class WebhooksController {
  constructor(private readonly webhooks: Webhooks) {}

  @Get()
  @ApiOperation({
    summary: 'List deliveries, the newest first',
    description:
      'Needs `ADMIN_TOKEN` where that is set, as the other calls about webhooks do. With `status=dead`: the dead letters. Kept for RETENTION_DAYS with STATE_DIR, else the last thousand.',
  })
  @ApiResponse({ status: 200, description: 'A page of deliveries', type: DeliveriesDto })
  @ApiProblems('unauthorized', 'invalid_request', 'state_error')
  listDeliveries(@Query() { status, limit = DEFAULT_LIMIT, cursor }: ListDeliveriesQueryDto): DeliveriesDto {
    const { deliveries, next } = this.webhooks.list({ status, before: readCursor(cursor), limit });
    return {
      deliveries: deliveries.map(toDelivery),
      ...(next === undefined ? {} : { next_cursor: writeCursor(next) }),
    };
  }

  @Get(':id')
  @ApiOperation({ summary: 'A delivery, and what is sent' })
  @ApiParam(ID)
  @ApiResponse({ status: 200, description: 'As it is now', type: DeliveryWithPayloadDto })
  @ApiProblems('unauthorized', 'not_found', 'state_error')
  getDelivery(@Param('id') id: string): DeliveryWithPayloadDto {
    return toDeliveryWithPayload(expectFound(this.webhooks.find(id)));
  }

  @Post(':id/resend')
  @HttpCode(HttpStatus.ACCEPTED)
  @ApiOperation({
    summary: 'Send a delivery again',
    description:
      'A dead letter, or one that was taken: at once, with the same `webhook-id`, and with all its tries before it. One that waits for its next try is sent at once.',
  })
  @ApiParam(ID)
  @ApiResponse({ status: 202, description: 'As it is now', type: DeliveryDto })
  @ApiProblems(
    'unauthorized',
    'origin_not_allowed',
    'not_found',
    'webhooks_off',
    'webhooks_full',
    'state_error',
  )
  resendDelivery(@Param('id') id: string): DeliveryDto {
    return toDelivery(expectFound(this.webhooks.resend(id)));
  }
}

/** @throws ProblemException `not_found` */
function expectFound(delivery: Delivery | undefined): Delivery {
  if (delivery === undefined) throw new ProblemException('not_found', 'There is no delivery of this id.');
  return delivery;
}
