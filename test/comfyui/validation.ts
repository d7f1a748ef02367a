import { frame, type Dialect } from './dialect.js';
import type { Folders } from './folders.js';
import { nodeClasses } from './nodes/index.js';
import type { InputSpec, NodeDefinition, ObjectInfo } from './object-info.js';
import { bool, float, int, PythonError, repr, str } from './python.js';
import {
  isObject,
  type Graph,
  type GraphNode,
  type JsonObject,
  type NodeErrors,
  type ValidationError,
} from './types.js';

export type Validation =
  | { ok: true; outputs: string[]; nodeErrors: Record<string, NodeErrors> }
  | { ok: false; error: unknown; nodeErrors: unknown };

interface Verdict {
  valid: boolean;
  errors: ValidationError[];
}

const LONGEST_LIST = 20;

/** ComfyUI's `validate_prompt`. Like the original it writes converted values back into the prompt. */
export class PromptValidator {
  constructor(
    private readonly info: ObjectInfo,
    private readonly folders: Folders,
    private readonly dialect: Dialect,
    private readonly newer: boolean,
  ) {}

  /** Throws where ComfyUI would stumble over the prompt and answer 500. */
  validate(prompt: unknown, targets: readonly string[] | undefined): Validation {
    const refused = (type: string, message: string, details: string): Validation => ({
      ok: false,
      error: { type, message, details, extra_info: {} },
      nodeErrors: this.dialect.emptyNodeErrors(),
    });
    const graph = asGraph(prompt);
    const outputs: string[] = [];
    for (const [id, node] of Object.entries(graph)) {
      const classType = classTypeOf(node);
      if (classType === undefined) {
        const message = 'Cannot execute because a node is missing the class_type property.';
        return this.newer
          ? missingNodeType(id, node, undefined)
          : refused('invalid_prompt', message, `Node ID '#${id}'`);
      }
      const definition = this.info.get(classType);
      if (definition === undefined) {
        const message = `Cannot execute because node ${classType} does not exist.`;
        return this.newer
          ? missingNodeType(id, node, classType)
          : refused('invalid_prompt', message, `Node ID '#${id}'`);
      }
      if (definition.output_node && (targets === undefined || targets.includes(id))) outputs.push(id);
    }
    if (outputs.length === 0) return refused('prompt_no_outputs', 'Prompt has no outputs', '');
    return new Check(graph, this.info, this.folders, this.dialect).outputs(outputs);
  }
}

/** How servers after 0.8.0 say it (source of 0.12.1 and later). */
function missingNodeType(id: string, node: unknown, classType: string | undefined): Validation {
  const meta = isObject(node) && isObject(node['_meta']) ? node['_meta'] : {};
  const node_title = typeof meta['title'] === 'string' ? meta['title'] : (classType ?? id);
  const error = {
    type: 'missing_node_type',
    message: `Node '${node_title}' not found. The custom node may not be installed.`,
    details: `Node ID '#${id}'`,
    extra_info: { node_id: id, class_type: classType ?? null, node_title },
  };
  return { ok: false, error, nodeErrors: {} };
}

/** An empty list passes as an empty prompt (04); what has no keys to loop over does not. */
function asGraph(prompt: unknown): Graph {
  if (isObject(prompt)) return prompt as Graph;
  if (Array.isArray(prompt) && prompt.length === 0) return {};
  throw new PythonError('TypeError', 'prompt is not a dictionary');
}

function classTypeOf(node: unknown): string | undefined {
  if (isObject(node)) return 'class_type' in node ? str(node['class_type']) : undefined;
  if (Array.isArray(node) || typeof node === 'string') return undefined;
  throw new PythonError('TypeError', 'argument of this type is not iterable');
}

class Check {
  private readonly validated = new Map<string, Verdict>();
  private readonly open = new Set<string>();

  constructor(
    private readonly graph: Graph,
    private readonly info: ObjectInfo,
    private readonly folders: Folders,
    private readonly dialect: Dialect,
  ) {}

  outputs(ids: readonly string[]): Validation {
    const good: string[] = [];
    const nodeErrors: Record<string, NodeErrors> = {};
    const details: string[] = [];
    for (const id of ids) {
      const verdict = this.output(id);
      if (verdict.valid) {
        good.push(id);
        continue;
      }
      details.push(...verdict.errors.map((error) => `${error.message}: ${error.details}`));
      for (const [nodeId, { valid, errors }] of this.validated) {
        if (valid || errors.length === 0) continue;
        const classType = this.graph[nodeId]?.class_type ?? '';
        nodeErrors[nodeId] ??= { errors, dependent_outputs: [], class_type: classType };
        nodeErrors[nodeId].dependent_outputs.push(id);
      }
    }
    if (good.length > 0) return { ok: true, outputs: good, nodeErrors };
    const error = {
      type: 'prompt_outputs_failed_validation',
      message: 'Prompt outputs failed validation',
      details: details.join('\n'),
      extra_info: {},
    };
    return { ok: false, error, nodeErrors };
  }

  private output(id: string): Verdict {
    try {
      return this.node(id);
    } catch (error) {
      const { type, message } = asPython(error);
      const reason: ValidationError = {
        type: 'exception_during_validation',
        message: 'Exception when validating node',
        details: message,
        extra_info: { exception_type: type, traceback: this.dialect.deadLinkFrames },
      };
      const verdict = { valid: false, errors: [reason] };
      this.validated.set(id, verdict);
      return verdict;
    }
  }

  private node(id: string): Verdict {
    const known = this.validated.get(id);
    if (known !== undefined) return known;
    if (this.open.has(id)) throw new PythonError('RecursionError', 'maximum recursion depth exceeded');
    this.open.add(id);
    try {
      const verdict = this.inputs(this.at(id));
      this.validated.set(id, verdict);
      return verdict;
    } finally {
      this.open.delete(id);
    }
  }

  private inputs(node: GraphNode): Verdict {
    const definition = this.definitionOf(node);
    if (!isObject(node.inputs)) throw new PythonError('KeyError', "'inputs'");
    const errors: ValidationError[] = [];
    let valid = true;
    const { required = {}, optional = {} } = definition.input;
    const own = nodeClasses.get(node.class_type);
    for (const [name, { spec, isRequired }] of specsOf(node.inputs, required, optional)) {
      if (!(name in node.inputs)) {
        if (isRequired) {
          const last = name.slice(name.lastIndexOf('.') + 1);
          errors.push(
            problem('required_input_missing', 'Required input is missing', last, { input_name: name }),
          );
        }
        continue;
      }
      const found = Array.isArray(node.inputs[name])
        ? this.link(name, spec, node.inputs[name])
        : this.value(name, spec, node, own?.validate !== undefined);
      if (found === false) valid = false;
      else if (found !== undefined) errors.push(found);
    }
    const complaint = errors.length === 0 && valid ? own?.validate?.(node.inputs, this.folders) : undefined;
    if (complaint !== undefined) {
      const details = `${complaint.input} - ${complaint.complaint}`;
      errors.push(
        problem('custom_validation_failed', 'Custom validation failed for node', details, {
          input_name: complaint.input,
        }),
      );
    }
    return { valid: valid && errors.length === 0, errors };
  }

  /** A problem of this link, or false when the trouble is further up and told there. */
  private link(name: string, spec: InputSpec, value: unknown[]): ValidationError | false | undefined {
    const config = [spec[0], spec[1] ?? {}];
    if (value.length !== 2) {
      const message = 'Bad linked input, must be a length-2 list of [node_id, slot_index]';
      const extra = { input_name: name, input_config: config, received_value: value };
      return problem('bad_linked_input', message, name, extra);
    }
    const from = str(value[0]);
    const received = this.definitionOf(this.at(from)).output[value[1] as number];
    if (received === undefined) throw new PythonError('IndexError', 'tuple index out of range');
    if (!accepts(spec[0], received)) {
      const details = `${name}, received_type(${received}) mismatch input_type(${str(spec[0])})`;
      const extra = { input_name: name, input_config: config, received_type: received, linked_node: value };
      return problem('return_type_mismatch', 'Return type mismatch between linked nodes', details, extra);
    }
    try {
      return this.node(from).valid ? undefined : false;
    } catch (error) {
      const { type, message } = asPython(error);
      const inner = problem(
        'exception_during_inner_validation',
        'Exception when validating inner node',
        message,
        {
          input_name: name,
          input_config: config,
          exception_message: message,
          exception_type: type,
          traceback: [
            frame(
              'execution.py',
              815,
              'validate_inputs',
              'r = await validate_inputs(prompt_id, prompt, o_id, validated)',
              'await',
            ),
          ],
          linked_node: value,
        },
      );
      this.validated.set(from, { valid: false, errors: [inner] });
      return false;
    }
  }

  private value(
    name: string,
    spec: InputSpec,
    node: GraphNode,
    validatesItself: boolean,
  ): ValidationError | undefined {
    const [type, options = {}] = spec;
    const config = [type, options];
    let value = node.inputs[name];
    if (isObject(value) && '__value__' in value) node.inputs[name] = value = value['__value__'];
    try {
      node.inputs[name] = value = converted(type, value);
    } catch (error) {
      const { message } = asPython(error);
      const extra = {
        input_name: name,
        input_config: config,
        received_value: value,
        exception_message: message,
      };
      const title = `Failed to convert an input value to a ${str(type)} value`;
      return problem('invalid_input_type', title, `${name}, ${str(value)}, ${message}`, extra);
    }
    if (validatesItself) return undefined;
    const extra = { input_name: name, input_config: config, received_value: value };
    const { min, max } = options;
    if (typeof min === 'number' && typeof value === 'number' && value < min) {
      return problem('value_smaller_than_min', `Value ${value} smaller than min of ${min}`, name, extra);
    }
    if (typeof max === 'number' && typeof value === 'number' && value > max) {
      return problem('value_bigger_than_max', `Value ${value} bigger than max of ${max}`, name, extra);
    }
    const choices = choicesOf(spec);
    if (choices === undefined || choices.includes(value)) return undefined;
    const long = choices.length > LONGEST_LIST;
    const list = long ? `(list of length ${choices.length})` : repr(choices);
    return problem('value_not_in_list', 'Value not in list', `${name}: '${str(value)}' not in ${list}`, {
      ...extra,
      input_config: long ? null : config,
    });
  }

  private at(id: string): GraphNode {
    const node = this.graph[id];
    if (node === undefined) throw new PythonError('KeyError', repr(id));
    return node;
  }

  private definitionOf(node: GraphNode): NodeDefinition {
    const definition = this.info.get(node.class_type);
    if (definition === undefined) throw new PythonError('KeyError', repr(node.class_type));
    return definition;
  }
}

interface Expected {
  spec: InputSpec;
  isRequired: boolean;
}

type Specs = Record<string, InputSpec>;

/** The inputs a node has, with those that dynamic ones bring (40): their keys have a dot behind the name of the dynamic one. */
function specsOf(inputs: JsonObject, required: Specs, optional: Specs, prefix = ''): Map<string, Expected> {
  const specs = new Map<string, Expected>();
  const put = (name: string, spec: InputSpec, isRequired: boolean) => {
    const key = `${prefix}${name}`;
    const [type, options = {}] = spec;
    if (type === 'COMFY_AUTOGROW_V3') {
      const template = options['template'] as { input: { required: Specs } };
      const [grown] = Object.values(template.input.required);
      for (const given of Object.keys(inputs)) {
        if (grown !== undefined && given.startsWith(`${key}.`))
          specs.set(given, { spec: grown, isRequired: false });
      }
      return;
    }
    specs.set(key, { spec: type === 'COMFY_DYNAMICCOMBO_V3' ? ['*', {}] : spec, isRequired });
    if (type !== 'COMFY_DYNAMICCOMBO_V3') return;
    const choices = options['options'] as { key: string; inputs: { required?: Specs; optional?: Specs } }[];
    const chosen = choices.find((each) => each.key === inputs[key])?.inputs;
    const inner = specsOf(inputs, chosen?.required ?? {}, chosen?.optional ?? {}, `${key}.`);
    for (const [inside, expected] of inner) specs.set(inside, expected);
  };
  for (const [name, spec] of Object.entries(required)) put(name, spec, true);
  for (const [name, spec] of Object.entries(optional)) put(name, spec, false);
  return specs;
}

function problem(
  type: string,
  message: string,
  details: string,
  extra_info: ValidationError['extra_info'],
): ValidationError {
  return { type, message, details, extra_info };
}

function asPython(error: unknown): PythonError {
  if (error instanceof PythonError) return error;
  throw error;
}

function converted(type: InputSpec[0], value: unknown): unknown {
  switch (type) {
    case 'INT':
      return int(value);
    case 'FLOAT':
      return float(value);
    case 'STRING':
      return str(value);
    case 'BOOLEAN':
      return bool(value);
    default:
      return value;
  }
}

/** A list comes as the type itself, or in newer nodes as the options of a COMBO. */
function choicesOf([type, options = {}]: InputSpec): unknown[] | undefined {
  if (Array.isArray(type)) return type;
  if (type !== 'COMBO') return undefined;
  return Array.isArray(options['options']) ? options['options'] : undefined;
}

function accepts(wanted: InputSpec[0], received: string): boolean {
  if (Array.isArray(wanted)) return received === 'COMBO' || received === '*';
  if (wanted === received || wanted === '*' || received === '*') return true;
  if (wanted === 'COMFY_MATCHTYPE_V3' || received === 'COMFY_MATCHTYPE_V3') return true;
  const offered = wanted.split(',');
  return received.split(',').every((type) => offered.includes(type));
}
