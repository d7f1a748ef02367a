import { ValidateBy, type ValidationArguments } from 'class-validator';

/** A field that makes no sense where another one of the same object has this value. */
export function NotWith(other: string, value: unknown, message: string): PropertyDecorator {
  return ValidateBy({
    name: 'notWith',
    validator: {
      validate: (_: unknown, args?: ValidationArguments) =>
        (args?.object as Record<string, unknown> | undefined)?.[other] !== value,
      defaultMessage: () => message,
    },
  });
}
