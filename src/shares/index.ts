export { FairGate } from './fair-gate.js';
export {
  callerKey,
  type CallerKey,
  type Exhausted,
  networkOfKey,
  type ShareLimits,
  shareLimits,
  Shares,
} from './shares.js';
