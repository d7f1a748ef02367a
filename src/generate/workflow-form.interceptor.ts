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
import { fieldProblem, noBoundary } from '../problem/index.js';
import { looksLikeGbk, SEND_UTF8 } from '../request/index.js';
import { FormTextWatch, readForm, UploadEngine } from '../upload/index.js';
import { FormFiles, type FormRequest } from './form-files.js';
import { FormEngine, type FormPart } from './form.engine.js';
import { GENERATE_OPTIONS, type GenerateOptions } from './generate.module-definition.js';
import { bodyOfForm } from './form-body.js';
import { lenientBody } from './lenient-body.js';

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
 * whose fields are named `<node>.<input>`, which are streamed into storage. JSON, and what a form stands for,
 * passes in the form that the API describes (see `lenientBody`).
 */
@Injectable()
export class WorkflowFormInterceptor implements NestInterceptor {
  private readonly inner: NestInterceptor;
  private readonly watch = new FormTextWatch();

  constructor(
    engine: UploadEngine,
    private readonly assets: Assets,
    @Inject(GENERATE_OPTIONS) { maxBodyBytes }: GenerateOptions,
  ) {
    const storage = new FormEngine(engine, maxBodyBytes ?? 32 * FIELD_BYTES);
    const options = { storage, limits: LIMITS, defParamCharset: 'utf8', streamHandler: this.watch.feed };
    const Inner = mixin(AnyFilesInterceptor(options));
    this.inner = new Inner();
  }

  async intercept(context: ExecutionContext, next: CallHandler): Promise<Observable<unknown>> {
    const request = context.switchToHttp().getRequest<Request & FormRequest>();
    if (!request.is('multipart/form-data')) {
      request.body = lenientBody(request.body);
      return next.handle();
    }
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
      const fields = request.body as Record<string, unknown>;
      this.expectUtf8(request, fields);
      request.body = lenientBody(bodyOfForm(fields, parts));
      files.assign(request.body as Record<string, unknown>);
      request.formFiles = files;
    } catch (error) {
      return from(files.dismiss()).pipe(switchMap(() => throwError(() => error)));
    }
    // Where the fields are wrong, nobody takes the files.
    return next.handle().pipe(finalize(() => void files.dismiss()));
  }

  /** @throws ProblemException `invalid_request` */
  private expectUtf8(request: Request, fields: Record<string, unknown>): void {
    const field =
      this.watch.damagedField(request, fields) ??
      Object.keys(fields).find((name) => looksLikeGbk(String(fields[name])));
    if (field === undefined) return;
    throw fieldProblem({ field: field.slice(0, 64), message: `is not UTF-8. ${SEND_UTF8}` });
  }
}
