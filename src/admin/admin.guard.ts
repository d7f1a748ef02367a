import { createHash, timingSafeEqual } from 'node:crypto';
import { type CanActivate, type ExecutionContext, Inject, Injectable } from '@nestjs/common';
import type { Request, Response } from 'express';
import { ProblemException } from '../problem/index.js';
import { ADMIN_OPTIONS, type AdminOptions } from './admin.module-definition.js';

/** Lets operators in: with the token, or everybody where none is set. */
@Injectable()
export class AdminGuard implements CanActivate {
  constructor(@Inject(ADMIN_OPTIONS) private readonly options: AdminOptions) {}

  /** @throws ProblemException `unauthorized` */
  canActivate(context: ExecutionContext): boolean {
    const { adminToken } = this.options;
    if (adminToken === undefined) return true;
    const http = context.switchToHttp();
    const [, token = ''] =
      /^Bearer +(\S.*)$/i.exec(http.getRequest<Request>().header('Authorization') ?? '') ?? [];
    if (isSame(token.trim(), adminToken)) return true;
    // RFC 9110, 11.6.1: a 401 says how to do better.
    http.getResponse<Response>().setHeader('WWW-Authenticate', 'Bearer realm="admin"');
    throw new ProblemException('unauthorized', 'Send the token of ADMIN_TOKEN: Authorization: Bearer …');
  }
}

/** In a time that tells nothing of where they differ. */
function isSame(a: string, b: string): boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(a), digest(b));
}
