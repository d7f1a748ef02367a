import { readdirSync, readFileSync } from 'node:fs';
import { join, sep } from 'node:path';
import type { Version } from './dialect.js';
import type { Folders } from './folders.js';
import { probeDefinitions } from './nodes/probe-definitions.js';
import { testDefinitions } from './nodes/test-definitions.js';
import type { JsonObject } from './types.js';

/** One class as `/object_info` describes it; `[type, options]` for each input. */
export interface NodeDefinition {
  input: { required?: Record<string, InputSpec>; optional?: Record<string, InputSpec> };
  output: string[];
  output_node: boolean;
}
export type InputSpec = [type: string | unknown[], options?: JsonObject];

/** The recorded `/object_info` of the classes that run here, kept as text: its 64-bit limits do not survive JSON.parse. */
export class ObjectInfo {
  private readonly texts = new Map<string, string>();
  private readonly definitions = new Map<string, NodeDefinition>();

  constructor(
    version: Version,
    private readonly checkpoints: readonly string[],
    private readonly folders: Folders,
    private readonly missing: readonly string[] = [],
  ) {
    const file = new URL(`recordings/${version}/object_info.json`, import.meta.url);
    for (const line of readFileSync(file, 'utf8').split('\n')) {
      const match = /^"(\w+)":(\{.*\}),?$/.exec(line);
      if (match?.[1] !== undefined && match[2] !== undefined) this.add(match[1], match[2]);
    }
    for (const [name, definition] of Object.entries({ ...probeDefinitions, ...testDefinitions }))
      this.add(name, JSON.stringify(definition));
  }

  get(name: string): NodeDefinition | undefined {
    const known = this.definitions.get(name);
    if (name === 'LoadImage') return withOptions(known, 'image', this.inputFiles());
    if (name === 'CheckpointLoaderSimple') return withOptions(known, 'ckpt_name', this.checkpoints);
    return known;
  }

  /** The body of `/object_info/{name}`; `{}` for a class that is not there (18). */
  describe(name: string): string {
    const text = this.textOf(name);
    return text === undefined ? '{}' : `{${JSON.stringify(name)}: ${text}}`;
  }

  /** The body of `/object_info`. */
  describeAll(): string {
    return `{${[...this.texts.keys()].map((name) => `${JSON.stringify(name)}: ${this.textOf(name)}`).join(', ')}}`;
  }

  private textOf(name: string): string | undefined {
    if (name === 'LoadImage' || name === 'CheckpointLoaderSimple') return JSON.stringify(this.get(name));
    return this.texts.get(name);
  }

  private add(name: string, text: string): void {
    if (this.missing.includes(name)) return;
    this.texts.set(name, text);
    this.definitions.set(name, JSON.parse(text) as NodeDefinition);
  }

  /** ComfyUI offers the files of the input folder itself, not of its sub-folders. */
  private inputFiles(): string[] {
    return readdirSync(join(this.folders.of('input'), sep), { withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => entry.name)
      .sort();
  }
}

function withOptions(
  definition: NodeDefinition | undefined,
  input: string,
  options: readonly string[],
): NodeDefinition | undefined {
  const spec = definition?.input.required?.[input];
  if (definition === undefined || spec === undefined) return definition;
  const required = { ...definition.input.required, [input]: [[...options], spec[1] ?? {}] as InputSpec };
  return { ...definition, input: { ...definition.input, required } };
}
