export {
  type Answered,
  type Fetched,
  type GetOptions,
  Outbound,
  type OutboundRules,
  type OwnServer,
  type PostOptions,
} from './outbound.js';
export { isMadeForCaller, LOOP_HEADER, LOOP_MARK } from './loop.js';
export { OutboundModule } from './outbound.module.js';
export { OutboundError, type OutboundErrorCode } from './outbound.error.js';
