export { Caller, CALLER_HEADER, callerId } from './caller.decorator.js';
export { useCors } from './cors.js';
export { HangUp } from './hang-up.decorator.js';
export { useJsonBody } from './json-body.js';
export { originOf } from './origin.js';
export { Prefer, PREFER_HEADER, type Preferences, tellApplied } from './prefer.js';
export { Nested } from './nested.decorator.js';
export { RequestPipe } from './request.pipe.js';
