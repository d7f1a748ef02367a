import { stat } from 'node:fs/promises';
import { basename, join } from 'node:path';

/** A picture as it came over HTTP. */
export interface Fetched {
  url: string;
  bytes: number;
  contentType: string | null;
}

/** Where the picture is, for the caller and on this machine. @throws Error where the two are not the same */
export async function describePicture({ url, bytes, contentType }: Fetched, folder: string): Promise<string> {
  const path = join(folder, basename(new URL(url).pathname));
  const { size } = await stat(path);
  if (size !== bytes) throw new Error(`${path} has ${size} bytes, but ${bytes} came over HTTP`);
  return [
    `   URL        ${url}`,
    `   on disk    ${path}`,
    `   size       ${size.toLocaleString('en')} bytes`,
    `   type       ${contentType ?? 'unknown'}`,
    '',
  ].join('\n');
}

/** Both calls, ready to paste into a shell. */
export function curlCommands(baseUrl: string, workflowFile: string, outputNode: number): string {
  const command = (path: string, options: string) =>
    [
      `curl ${options}${baseUrl}${path} -H 'Content-Type: application/json' \\`,
      `  -d "{\\"workflow_data\\": $(cat ${workflowFile}), \\"output_node_id\\": ${outputNode}}"`,
    ].join('\n');
  return [command('/api/generate', ''), '', command('/api/generate_file', '-o picture.png ')].join('\n');
}
