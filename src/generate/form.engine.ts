import type { Request } from 'express';
import type { StorageEngine } from 'multer';
import { from } from 'rxjs';
import { fieldProblem, ProblemException } from '../problem/index.js';
import { readText } from '../request/index.js';
import type { UploadEngine, UploadedFile } from '../upload/index.js';

/** The field that holds the workflow. */
export const WORKFLOW_FIELD = 'workflow_data';

/** What is left of a file in the form: one that is in storage, or the text of the workflow. */
export type FormPart = UploadedFile | { fieldname: string; text: string };

type Done = Parameters<StorageEngine['_handleFile']>[2];

/** Streams files into storage, but for the workflow, which clients like curl send as a file. */
export class FormEngine implements StorageEngine {
  private readonly withWorkflow = new WeakSet<Request>();

  constructor(
    private readonly engine: UploadEngine,
    private readonly maxWorkflowBytes: number,
  ) {}

  _handleFile(request: Request, file: Express.Multer.File, done: Done): void {
    if (file.fieldname !== WORKFLOW_FIELD) return this.engine._handleFile(request, file, done);
    // Before it is read: there is room for one.
    if (this.withWorkflow.has(request))
      return done(fieldProblem({ field: WORKFLOW_FIELD, message: 'may be given once' }));
    this.withWorkflow.add(request);
    from(this.readText(file.stream)).subscribe({
      next: (text) => done(undefined, { text } as Partial<Express.Multer.File>),
      error: (error: unknown) => done(error),
    });
  }

  /** Something else in the form was wrong. */
  _removeFile(request: Request, file: Express.Multer.File, done: (error: Error | null) => void): void {
    if (file.fieldname === WORKFLOW_FIELD) done(null);
    else this.engine._removeFile(request, file, done);
  }

  /** @throws ProblemException `payload_too_large`; `invalid_request` where it is not UTF-8 */
  private async readText(stream: Express.Multer.File['stream']): Promise<string> {
    const chunks: Buffer[] = [];
    let size = 0;
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      size += chunk.length;
      if (size > this.maxWorkflowBytes) {
        throw new ProblemException(
          'payload_too_large',
          'The workflow is larger than this server takes (MAX_BODY_MB).',
        );
      }
      chunks.push(chunk);
    }
    return readText(Buffer.concat(chunks), '', WORKFLOW_FIELD);
  }
}
