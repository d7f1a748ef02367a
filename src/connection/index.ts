export { callerAddress, networkOf, type TrustsProxy } from './address.js';
export type { Exchange, Refusal } from './exchange.types.js';
export { holdBytes } from './exchanges.js';
export { guardServer, type GuardOptions } from './guard-server.js';
export { MAX_PIPELINED } from './in-turn.js';
export { connectionLimits, type ConnectionLimits } from './limits.js';
