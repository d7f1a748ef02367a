import type { Response } from 'express';
import { ProblemException } from '../problem/index.js';

/** RFC 9110, 15.5.17: the answer tells the size, so that the reader can ask for what is there. */
export function unsatisfiable(response: Response, size: number): ProblemException {
  response.setHeader('Content-Range', `bytes */${size}`);
  return new ProblemException('range_not_satisfiable', `The file has ${size} bytes.`);
}
