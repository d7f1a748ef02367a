export { isAllowedOrigin, type OriginRules, useOriginCheck } from './allowed-origins.js';
export { readText, SEND_UTF8, withoutBom } from './body-text.js';
export { Caller, CALLER_HEADER, callerId } from './caller.decorator.js';
export { useCors } from './cors.js';
export { ExtraDataDto, type ReadExtraData, readExtraData } from './extra-data.js';
export { readCursor, writeCursor } from './cursor.js';
export { HangUp } from './hang-up.decorator.js';
export { parseBody, useJsonBody } from './json-body.js';
export {
  decodedJson,
  isObject,
  lenientBoolean,
  lenientInteger,
  parseField,
  type ReadWorkflow,
  readWorkflow,
  withRead,
} from './lenient.js';
export { looksLikeGbk } from './gbk-guess.js';
export { hostProblem, KnownHosts, originOf, useKnownHosts } from './known-hosts.js';
export { useNoStore } from './no-store.js';
export { Prefer, PREFER_HEADER, type Preferences, tellApplied } from './prefer.js';
export { Nested } from './nested.decorator.js';
export { RequestPipe } from './request.pipe.js';
