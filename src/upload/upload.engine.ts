import { Injectable } from '@nestjs/common';
import type { Request } from 'express';
import type { StorageEngine } from 'multer';
import { finalize, from } from 'rxjs';
import { fieldProblem, hungUp } from '../problem/index.js';
import { StorageError } from '../storage/index.js';
import { Assets, type ReceivedFile } from '../assets/index.js';

/** What is left of a file in a form: the bytes are in storage. */
export interface UploadedFile {
  /** Name of its field. */
  fieldname: string;
  originalname: string;
  received: ReceivedFile;
}

type Done = (error?: unknown, info?: Partial<Express.Multer.File> & { received?: ReceivedFile }) => void;

/** Lets multer stream files into storage, past memory and temporary folders. */
@Injectable()
export class UploadEngine implements StorageEngine {
  constructor(private readonly assets: Assets) {}

  _handleFile(request: Request, { fieldname, stream, originalname }: Express.Multer.File, done: Done): void {
    const leaving = new AbortController();
    const leave = () => {
      if (!request.complete) leaving.abort(hungUp());
    };
    request.once('close', leave);
    from(this.assets.receive(stream, originalname, leaving.signal))
      .pipe(finalize(() => request.off('close', leave)))
      .subscribe({
        next: (received) => done(undefined, { received, size: received.file.size }),
        error: (error: unknown) =>
          done(isEmpty(error) ? fieldProblem({ field: fieldname, message: 'is empty' }) : error),
      });
  }

  /** Something else in the form was wrong. */
  _removeFile(
    _request: Request,
    file: Express.Multer.File & Partial<UploadedFile>,
    done: (error: null) => void,
  ) {
    if (file.received !== undefined) void this.assets.dismiss(file.received);
    done(null);
  }
}

function isEmpty(error: unknown): boolean {
  return error instanceof StorageError && error.reason === 'empty';
}
