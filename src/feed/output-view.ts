import type { JobOutput } from '../comfy/index.js';

/** A file as every face tells of it. */
export interface OutputView {
  node_id: string;
  kind: JobOutput['type'];
  url: string;
  content_type: string;
  /** Bytes. */
  size: number;
  filename: string;
  /** ISO 8601; null: `url` does not expire. */
  expires_at: string | null;
  /** Of a text that is short: the text itself. */
  text?: string;
}

export function toOutputView(output: JobOutput): OutputView {
  return {
    node_id: output.node,
    kind: output.type,
    url: output.url,
    content_type: output.contentType,
    size: output.size,
    filename: output.key,
    expires_at: output.expiresAt?.toISOString() ?? null,
    ...(output.text === undefined ? {} : { text: output.text }),
  };
}
