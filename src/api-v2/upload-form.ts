import { type NewAssetDetails, HASH_PATTERN } from '../assets/index.js';
import { type FieldError, fieldProblem } from '../problem/index.js';

/** Characters of a name that its owner gave a file. */
const MAX_PATH = 255;

/** Seconds that an upload may want to be kept (contract). */
const MIN_EXPIRY_S = 60;
const MAX_EXPIRY_S = 604_800;

const FIELDS = new Set(['content_type', 'file_path', 'expected_hash', 'tags', 'expires_in']);

/**
 * The fields of an upload, which come as text in a form and as values in JSON.
 * @param hash the field that names the hash of the bytes
 * @throws ProblemException `invalid_request`, every mistake at once
 */
export function readUploadFields(
  fields: Readonly<Record<string, unknown>>,
  hash: 'hash' | 'expected_hash' = 'expected_hash',
): NewAssetDetails {
  const errors: FieldError[] = [];
  const wrong = (field: string, message: string) => void errors.push({ field, message });
  const { file_path: path, expires_in: expiresIn } = fields;
  const expectedHash = fields[hash];
  for (const field of Object.keys(fields)) {
    if (!FIELDS.has(field) && field !== hash) wrong(field.slice(0, 64), 'is not a field of this request');
  }
  if (given(path) && !isLabel(path)) {
    wrong('file_path', `must be text of 1 to ${MAX_PATH} characters, without control characters`);
  }
  if (given(expectedHash) && !(typeof expectedHash === 'string' && HASH_PATTERN.test(expectedHash))) {
    wrong(hash, 'must be blake3: and 64 lower-case hex digits');
  }
  const seconds = wholeOf(expiresIn, hash === 'expected_hash');
  if (given(expiresIn) && !(seconds !== undefined && seconds >= MIN_EXPIRY_S && seconds <= MAX_EXPIRY_S)) {
    wrong('expires_in', `must be a whole number from ${MIN_EXPIRY_S} to ${MAX_EXPIRY_S}`);
  }
  if (errors.length > 0) throw fieldProblem(...errors);
  return {
    path: typeof path === 'string' && path !== '' ? path : null,
    expectedHash: typeof expectedHash === 'string' ? expectedHash : undefined,
    expiresInS: seconds,
  };
}

function given(value: unknown): boolean {
  return value !== undefined && value !== null;
}

/** A number; in a form it is text. */
function wholeOf(value: unknown, form: boolean): number | undefined {
  if (form) return typeof value === 'string' && /^\d{1,9}$/.test(value) ? Number(value) : undefined;
  return typeof value === 'number' && Number.isInteger(value) ? value : undefined;
}

/** The name in the form's own header, where it can be kept. */
export function labelOf(name: string): string | null {
  return name !== '' && isLabel(name) ? name : null;
}

function isLabel(value: unknown): boolean {
  // oxlint-disable-next-line no-control-regex
  return typeof value === 'string' && value.length <= MAX_PATH && !/[\u0000-\u001f\u007f]/.test(value);
}
