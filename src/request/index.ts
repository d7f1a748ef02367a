export { Caller, CALLER_HEADER } from './caller.decorator.js';
export { HangUp } from './hang-up.decorator.js';
export { useJsonBody } from './json-body.js';
export { RequestPipe } from './request.pipe.js';
