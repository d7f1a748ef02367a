import { ValidateBy } from 'class-validator';

const MAX_LENGTH = 128;

/** A node id as people write it: a string, or a whole number for the ids that look like one. */
export function IsNodeId(): PropertyDecorator {
  return ValidateBy({
    name: 'isNodeId',
    validator: {
      validate: (value: unknown) =>
        (typeof value === 'string' && value !== '' && value.length <= MAX_LENGTH) ||
        (typeof value === 'number' && Number.isSafeInteger(value)),
      defaultMessage: () => 'must be the id of a node: a string or a whole number',
    },
  });
}
