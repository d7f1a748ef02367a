import { type ArgumentMetadata, Injectable, type PipeTransform, ValidationPipe } from '@nestjs/common';
import { validate, type ValidationError } from 'class-validator';
import { nestedFields } from './nested.decorator.js';
import { type FieldError, fieldProblem, ProblemException } from '../problem/index.js';

const CHECKS = { whitelist: true, forbidNonWhitelisted: true, forbidUnknownValues: true };

/** Fields of an object that is no workflow; checking one that is not known takes microseconds. */
const MAX_FIELDS = 256;

const UNKNOWN_FIELD = 'is not a field of this request';

/**
 * Checks what comes in against its DTO; every mistake is told at once.
 *
 * Queries and paths go through Nest's ValidationPipe. Bodies do not: its class-transformer copies the whole workflow (0.7 ms
 * for thirty nodes) and falls over a workflow with a key named `constructor`. A body is checked where it lies.
 */
@Injectable()
export class RequestPipe implements PipeTransform {
  private readonly forStrings = new ValidationPipe({
    ...CHECKS,
    transform: true,
    exceptionFactory: (errors) => asProblem(errors),
  });

  async transform(value: unknown, metadata: ArgumentMetadata): Promise<unknown> {
    if (metadata.type !== 'body') return this.forStrings.transform(value, metadata) as Promise<unknown>;
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      throw new ProblemException('invalid_request', 'The body must be a JSON object.');
    }
    const Dto = metadata.metatype as (new () => object) | undefined;
    if (Dto === undefined) return value;
    const body = asInstance(Dto, value);
    const errors = await validate(body, CHECKS);
    if (errors.length > 0) throw asProblem(errors);
    return body;
  }
}

/**
 * A DTO with these values, and those of its fields that are DTOs as well.
 * @throws ProblemException `invalid_request`
 */
function asInstance<T extends object>(Dto: new () => T, value: object, prefix = ''): T {
  // class-validator would take them for what every object inherits, and not report or even survive them.
  const inherited = Object.keys(value).filter((name) => name in Object.prototype);
  if (Object.keys(value).length > MAX_FIELDS) {
    throw new ProblemException(
      'invalid_request',
      `${prefix === '' ? 'The body' : prefix.slice(0, -1)} has more than ${MAX_FIELDS} fields.`,
    );
  }
  if (inherited.length > 0) throw unknownFields(inherited.map((name) => prefix + name));
  const body: Record<string, unknown> = Object.assign(new Dto(), value) as never;
  for (const [name, nested] of nestedFields(Dto)) {
    const inner = body[name];
    // What is no object is reported by the checks.
    if (typeof inner !== 'object' || inner === null || Array.isArray(inner)) continue;
    body[name] = asInstance(nested(), inner, `${prefix}${name}.`);
  }
  return body as T;
}

function asProblem(errors: ValidationError[]): ProblemException {
  return fieldProblem(...errors.flatMap((error) => toFieldErrors(error)));
}

function unknownFields(names: string[]): ProblemException {
  return fieldProblem(...names.map((field) => ({ field, message: UNKNOWN_FIELD })));
}

function toFieldErrors(error: ValidationError, prefix = ''): FieldError[] {
  const field = prefix + error.property.slice(0, 64);
  const own = Object.entries(error.constraints ?? {})
    // That it is no object is said already.
    .filter(([rule]) => rule !== 'nestedValidation')
    .map(([rule, message]) => ({
      field,
      message: rule === 'whitelistValidation' ? UNKNOWN_FIELD : message.replace(`${error.property} `, ''),
    }));
  // Of what is no object as a whole the parts are of no interest; a list has them without names.
  return own.length > 0 ? own : (error.children ?? []).flatMap((child) => toFieldErrors(child, `${field}.`));
}
