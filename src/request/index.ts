export { isAllowedOrigin, type OriginRules, useOriginCheck } from './allowed-origins.js';
export { Caller, CALLER_HEADER, callerId } from './caller.decorator.js';
export { useCors } from './cors.js';
export { readCursor, writeCursor } from './cursor.js';
export { HangUp } from './hang-up.decorator.js';
export { parseBody, useJsonBody } from './json-body.js';
export { originOf } from './origin.js';
export { Prefer, PREFER_HEADER, type Preferences, tellApplied } from './prefer.js';
export { RequestPipe } from './request.pipe.js';
