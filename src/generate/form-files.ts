import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import type { Assets } from '../assets/index.js';
import type { FormFile } from '../comfy/index.js';
import { type FieldError, fieldProblem } from '../problem/index.js';
import type { UploadedFile } from '../upload/index.js';
import type { FormPart } from './form.engine.js';

export interface FormRequest {
  formFiles?: FormFiles;
}

/** Files that came in a form: somebody takes them, or they go again. */
export class FormFiles {
  private readonly files: UploadedFile[];
  private assigned: FormFile[] = [];
  private taken = false;

  constructor(
    parts: readonly FormPart[],
    private readonly assets: Assets,
  ) {
    this.files = parts.filter((part): part is UploadedFile => 'received' in part);
  }

  /**
   * Finds the input that each is for: their fields are named `<node>.<input>`.
   * @throws ProblemException `invalid_request`, every mistake at once
   */
  assign({ workflow_data: workflow }: { workflow_data?: unknown }): void {
    const nodes = typeof workflow === 'object' && workflow !== null ? Object.keys(workflow) : [];
    const errors: FieldError[] = [];
    const seen = new Set<string>();
    for (const { fieldname: field, received } of this.files) {
      // Ids can have dots in them.
      const node = nodes
        .filter((id) => field.startsWith(`${id}.`) && field.length > id.length + 1)
        .sort((a, b) => b.length - a.length)[0];
      if (seen.has(field)) errors.push({ field: field.slice(0, 64), message: 'may be given once' });
      else if (node === undefined) {
        errors.push({
          field: field.slice(0, 64),
          message: 'is of no node of workflow_data: name a file <node id>.<input>, such as 10.image',
        });
      } else this.assigned.push({ node, input: field.slice(node.length + 1), received });
      seen.add(field);
    }
    if (errors.length > 0) throw fieldProblem(...errors);
  }

  /** From now on they are the taker's. */
  take(): FormFile[] {
    this.taken = true;
    return this.assigned;
  }

  /** They go, unless somebody has taken them. Never throws. */
  async dismiss(): Promise<void> {
    if (this.taken) return;
    this.taken = true;
    await Promise.all(this.files.map(({ received }) => this.assets.dismiss(received)));
  }
}

/** Files that came in a form beside the workflow; none where the body is JSON. */
export const FilesOfForm = createParamDecorator(
  (_: unknown, context: ExecutionContext): FormFiles | undefined =>
    context.switchToHttp().getRequest<FormRequest>().formFiles,
);
