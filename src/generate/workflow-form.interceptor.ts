import {
  type CallHandler,
  type ExecutionContext,
  Inject,
  Injectable,
  mixin,
  type NestInterceptor,
} from '@nestjs/common';
import { AnyFilesInterceptor } from '@nestjs/platform-express';
import type { Request } from 'express';
import { finalize, from, type Observable, switchMap, throwError } from 'rxjs';
import { Assets } from '../assets/index.js';
import { noBoundary } from '../problem/index.js';
import { readForm, UploadEngine } from '../upload/index.js';
import { FormFiles, type FormRequest } from './form-files.js';
import { FormEngine, type FormPart } from './form.engine.js';
import { GENERATE_OPTIONS, type GenerateOptions } from './generate.module-definition.js';
import { bodyOfForm } from './form-body.js';

/** Longest text of a field: a larger workflow comes as a file, whose length is that of a body. */
const FIELD_BYTES = 1024 * 1024;

/** Of a form: so many files, and fields. */
const LIMITS = {
  files: 33,
  fields: 16,
  parts: 49,
  fieldSize: FIELD_BYTES,
  fieldNameSize: 256,
  headerPairs: 32,
};

/**
 * Lets a workflow come as a form, with files beside it: `workflow_data` and the other fields of the JSON body as text, and files
 * whose fields are named `<node>.<input>`, which are streamed into storage. JSON passes as it is.
 */
@Injectable()
export class WorkflowFormInterceptor implements NestInterceptor {
  private readonly inner: NestInterceptor;

  constructor(
    engine: UploadEngine,
    private readonly assets: Assets,
    @Inject(GENERATE_OPTIONS) { maxBodyBytes }: GenerateOptions,
  ) {
    const storage = new FormEngine(engine, maxBodyBytes ?? 32 * FIELD_BYTES);
    const Inner = mixin(AnyFilesInterceptor({ storage, limits: LIMITS, defParamCharset: 'utf8' }));
    this.inner = new Inner();
  }

  async intercept(context: ExecutionContext, next: CallHandler): Promise<Observable<unknown>> {
    const request = context.switchToHttp().getRequest<Request & FormRequest>();
    if (!request.is('multipart/form-data')) return next.handle();
    return readForm(this.inner, context, { handle: () => this.handle(request, next) });
  }

  private handle(request: Request & FormRequest, next: CallHandler): Observable<unknown> {
    const parts = (request.files ?? []) as unknown as FormPart[];
    const files = new FormFiles(parts, this.assets);
    try {
      // multer reads no form whose parts nobody can tell apart.
      if (request.body === undefined) {
        throw noBoundary();
      }
      request.body = bodyOfForm(request.body as Record<string, unknown>, parts);
      files.assign(request.body);
      request.formFiles = files;
    } catch (error) {
      return from(files.dismiss()).pipe(switchMap(() => throwError(() => error)));
    }
    // Where the fields are wrong, nobody takes the files.
    return next.handle().pipe(finalize(() => void files.dismiss()));
  }
}
