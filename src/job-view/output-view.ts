import type { JobOutput } from '../comfy/index.js';

/** A file as every face tells of it. */
export interface OutputView {
  node_id: string;
  /** Id of the asset that the file is; workflows may name it by that. */
  asset_id: string;
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
  /** What it was converted from; absent where it is as it was made. */
  original?: Omit<OutputView, 'node_id' | 'asset_id' | 'kind' | 'text' | 'original'>;
}

export function toOutputView(output: JobOutput): OutputView {
  const { original } = output;
  return {
    node_id: output.node,
    asset_id: output.id,
    kind: output.type,
    ...toFileView(output),
    ...(output.text === undefined ? {} : { text: output.text }),
    ...(original === undefined ? {} : { original: toFileView(original) }),
  };
}

function toFileView({ url, contentType, size, key, expiresAt }: JobOutput) {
  return {
    url,
    content_type: contentType,
    size,
    filename: key,
    expires_at: expiresAt?.toISOString() ?? null,
  };
}
