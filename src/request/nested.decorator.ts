import { applyDecorators } from '@nestjs/common';
import { IsObject, ValidateNested } from 'class-validator';

type Dto = new () => object;

const NESTED = Symbol('nested');

/** A field of a body that is an object with fields of its own; what is wrong in it is told as `field.inner`. */
export function Nested(dto: () => Dto): PropertyDecorator {
  const remember: PropertyDecorator = (target, name) => {
    const known = Reflect.getMetadata(NESTED, target) as ReadonlyMap<string, () => Dto> | undefined;
    Reflect.defineMetadata(NESTED, new Map([...(known ?? []), [String(name), dto]]), target);
  };
  return applyDecorators(remember, IsObject({ message: 'must be an object' }), ValidateNested());
}

/** The fields of a class that `Nested` marks. */
export function nestedFields(dto: Dto): ReadonlyMap<string, () => Dto> {
  return (
    (Reflect.getMetadata(NESTED, dto.prototype as object) as ReadonlyMap<string, () => Dto> | undefined) ??
    new Map<string, () => Dto>()
  );
}
