const MAX_LENGTH = 1000;
const POSIX_PATH = /(?<![\w/.:])\/(?:[^\s/'"<>:,;]+\/)+([^\s/'"<>:,;]*)/g;
const WINDOWS_PATH = /\b[A-Za-z]:[\\/](?:[^\\/\s'"<>:,;]+[\\/])*([^\\/\s'"<>:,;]*)/g;

/**
 * Text of a ComfyUI that is about to leave this house: absolute paths lose all but their last part, and what is longer
 * than 1,000 characters is cut. Messages of nodes are for people, and often name where the server keeps its models.
 */
export function redact(text: string): string {
  const safe = text.replace(WINDOWS_PATH, '…/$1').replace(POSIX_PATH, '…/$1');
  return safe.length > MAX_LENGTH ? `${safe.slice(0, MAX_LENGTH)}…` : safe;
}
