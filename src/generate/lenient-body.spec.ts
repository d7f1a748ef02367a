import { expect, it } from 'vitest';
import { lenientBody } from './lenient-body.js';

it('reads whole numbers and booleans of convert from texts, and leaves other texts to the checks', () => {
  const workflow_data = { '1': { class_type: 'A', inputs: {} } };
  const read = (convert: unknown) => lenientBody({ workflow_data, convert });
  expect(read({ format: 'webp', quality: '80', max_width: ' 60 ', strip_metadata: 'True' })).toEqual({
    workflow_data,
    convert: { format: 'webp', quality: 80, max_width: 60, strip_metadata: true },
  });
  const other = { quality: '80 %', max_height: '1.5', strip_metadata: 'yes' };
  expect(read(other)).toEqual({ workflow_data, convert: other });
});
