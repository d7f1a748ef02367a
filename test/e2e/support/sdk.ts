import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { createClient } from '@hey-api/openapi-ts';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const TSC = join(ROOT, 'node_modules/typescript/bin/tsc');

const TSCONFIG = {
  compilerOptions: {
    module: 'nodenext',
    target: 'es2023',
    lib: ['es2023', 'dom', 'dom.iterable'],
    types: [],
    strict: true,
    noUncheckedIndexedAccess: true,
    noImplicitOverride: true,
    rootDir: 'src',
    outDir: 'dist',
  },
  include: ['src'],
};

/** What a call of the generated client comes to. */
export interface SdkResult<Data> {
  data?: Data;
  error?: unknown;
  response: Response;
}

type Call<Data> = (options: {
  baseUrl: string;
  body?: Record<string, unknown>;
  path?: Record<string, string>;
  query?: Record<string, unknown>;
}) => Promise<SdkResult<Data>>;

/** The operations of the generated client; how it types them is checked when its user is compiled. */
export interface SdkCalls {
  generate: Call<{ url: string; job_id: string } | Blob>;
  generateFile: Call<Blob>;
  getResult: Call<Record<string, unknown>>;
  getFile: Call<Blob>;
  getLiveness: Call<unknown>;
  getReadiness: Call<unknown>;
}

/** The document's schemas as checks, by name. */
export type SdkSchemas = Record<string, { parse(value: unknown): unknown }>;

export interface Sdk {
  calls: SdkCalls;
  schemas: SdkSchemas;
  remove(): Promise<void>;
}

/**
 * Generates a TypeScript client from a document and compiles it under strict settings, together with somebody's code
 * that uses it as `./sdk/index.js`.
 * @throws Error with the compiler's messages
 */
export async function buildSdk(document: string, user: string): Promise<Sdk> {
  // In the repository, so that the generated schemas find zod.
  const base = join(ROOT, '.tmp');
  await mkdir(base, { recursive: true });
  const folder = await mkdtemp(join(base, 'sdk-'));
  await createClient({
    input: document,
    output: { path: join(folder, 'src/sdk'), importFileExtension: '.js' },
    logs: { level: 'silent', file: false },
    plugins: ['@hey-api/typescript', '@hey-api/client-fetch', '@hey-api/sdk', 'zod'],
  });
  await writeFile(join(folder, 'src/user.ts'), user);
  await writeFile(join(folder, 'package.json'), JSON.stringify({ type: 'module' }));
  await writeFile(join(folder, 'tsconfig.json'), JSON.stringify(TSCONFIG));
  await compile(folder);
  return {
    calls: await load<SdkCalls>(join(folder, 'dist/sdk/index.js')),
    schemas: await load<SdkSchemas>(join(folder, 'dist/sdk/zod.gen.js')),
    remove: () => rm(folder, { recursive: true }),
  };
}

/** @throws Error with the compiler's messages */
export async function compile(project: string, ...options: string[]): Promise<void> {
  try {
    await promisify(execFile)(process.execPath, [TSC, '-p', project, ...options]);
  } catch (error) {
    throw new Error(`It does not compile:\n${(error as { stdout: string }).stdout}`, { cause: error });
  }
}

function load<T>(file: string): Promise<T> {
  return import(/* @vite-ignore */ pathToFileURL(file).href) as Promise<T>;
}
