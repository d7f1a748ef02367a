import {
  type CallHandler,
  type ExecutionContext,
  Injectable,
  mixin,
  type NestInterceptor,
} from '@nestjs/common';
import { FileInterceptor } from '@nestjs/platform-express';
import type { Observable } from 'rxjs';
import { readForm, UploadEngine } from '../upload/index.js';

/** Of a form: one file, and a few short fields. */
const LIMITS = { files: 1, fields: 32, parts: 33, fieldSize: 4_096, fieldNameSize: 100, headerPairs: 32 };

/** Nest's interceptor for a form with one file, which streams it into storage. */
@Injectable()
export class UploadFormInterceptor implements NestInterceptor {
  private readonly inner: NestInterceptor;

  constructor(engine: UploadEngine) {
    // As browsers and curl send them.
    const Inner = mixin(
      FileInterceptor('file', { storage: engine, limits: LIMITS, defParamCharset: 'utf8' }),
    );
    this.inner = new Inner();
  }

  intercept(context: ExecutionContext, next: CallHandler): Promise<Observable<unknown>> {
    return readForm(this.inner, context, next);
  }
}
