/** What differs between the recorded servers: 0.3.11 of January 2025, 0.3.64 of October 2025 and 0.8.0 of January 2026. */

import type { JsonObject } from './types.js';

export const VERSIONS = ['0.3.11', '0.3.64', '0.8.0'] as const;

export type Version = (typeof VERSIONS)[number];

export interface Dialect {
  readonly version: Version;
  /** A `prompt_id` in the body of `POST /prompt` is used (new 11) or ignored (old 11). */
  readonly honoursPromptId: boolean;
  /** Answers `feature_flags` and then sends type 4 previews (new 06b; old 06b: silence). */
  readonly negotiatesFeatures: boolean;
  /** Sends `progress_state` (all new recordings; none of the old). */
  readonly sendsProgressState: boolean;
  /** `POST /interrupt` looks at `prompt_id` (07 of both). */
  readonly targetedInterrupt: boolean;
  /** `node_errors` of a prompt refused as a whole: `{}` in the new server, `[]` in the old (04 of both). */
  readonly emptyNodeErrors: () => unknown;
  /** `error` of a body without `prompt` (04 of both). */
  readonly noPromptError: unknown;
  /** The message of an exception as `execution_error` repeats it (05a, 05b of both). */
  readonly exceptionMessage: (type: string, message: string) => string;
  /** Frames above the node in the traceback of an `execution_error` (05a of both). */
  readonly executionFrames: readonly string[];
  /** Traceback of a link to a node that is not there (04 of both). */
  readonly deadLinkFrames: readonly string[];
  /** Checkpoints the recorded server had on its disk. */
  readonly checkpoints: readonly string[];
  /** `extra_data` gets `create_time` in queue and history (25), and keeps secret what `extra_data` says of accounts. */
  readonly marksExtraData: boolean;
  /** `GET /api/jobs` and `GET /api/jobs/{id}` (25). */
  readonly hasJobs: boolean;
  /** What `/features` and the `feature_flags` event tell (18, 06b). */
  readonly features: JsonObject;
  /** What `system` of `/system_stats` says otherwise than 0.3.64 does, and the folders of `/models` that it lacks (18). */
  readonly system: JsonObject;
  readonly moreModelFolders: readonly string[];
}

/** One entry of `traceback.format_tb`, underlined from `from` to the end of the code as Python 3.11 does. */
export function frame(file: string, line: number, fn: string, code: string, from?: string): string {
  const head = `  File "/srv/ComfyUI/${file}", line ${line}, in ${fn}\n    ${code}\n`;
  if (from === undefined) return head;
  const column = code.indexOf(from);
  return `${head}    ${' '.repeat(column)}${'^'.repeat(code.length - column)}\n`;
}

const deadLinkLine = (line: number) =>
  `${frame('execution.py', line, 'validate_inputs', "o_class_type = prompt[o_id]['class_type']")}                   ~~~~~~^^^^^^\n`;

const OOM_ADVICE =
  'This error means you ran out of memory on your GPU.\n\nTIPS: If the workflow worked before you might have accidentally set the batch_size to a large number.';

export const MODERN: Dialect = {
  version: '0.3.64',
  honoursPromptId: true,
  negotiatesFeatures: true,
  sendsProgressState: true,
  targetedInterrupt: true,
  emptyNodeErrors: () => ({}),
  noPromptError: {
    type: 'no_prompt',
    message: 'No prompt provided',
    details: 'No prompt provided',
    extra_info: {},
  },
  exceptionMessage: (type, message) =>
    type === 'torch.OutOfMemoryError' ? `${message}\n${OOM_ADVICE}` : `${message}\n`,
  executionFrames: [
    frame(
      'execution.py',
      496,
      'execute',
      'output_data, output_ui, has_subgraph, has_pending_tasks = await get_output_data(prompt_id, unique_id, obj, input_data_all, execution_block_cb=execution_block_cb, pre_execute_cb=pre_execute_cb, hidden_inputs=hidden_inputs)',
      'await',
    ),
    frame(
      'execution.py',
      315,
      'get_output_data',
      'return_values = await _async_map_node_over_list(prompt_id, unique_id, obj, input_data_all, obj.FUNCTION, allow_interrupt=True, execution_block_cb=execution_block_cb, pre_execute_cb=pre_execute_cb, hidden_inputs=hidden_inputs)',
      'await',
    ),
    frame('execution.py', 289, '_async_map_node_over_list', 'await process_inputs(input_dict, i)'),
    frame('execution.py', 277, 'process_inputs', 'result = f(**inputs)', 'f('),
  ],
  deadLinkFrames: [
    frame(
      'execution.py',
      1010,
      'validate_prompt',
      'm = await validate_inputs(prompt_id, prompt, o, validated)',
      'await',
    ),
    deadLinkLine(788),
  ],
  checkpoints: ['random-sd15.safetensors'],
  marksExtraData: false,
  hasJobs: false,
  features: { supports_preview_metadata: true, max_upload_size: 104857600 },
  system: {},
  moreModelFolders: [],
};

export const LEGACY: Dialect = {
  version: '0.3.11',
  honoursPromptId: false,
  negotiatesFeatures: false,
  sendsProgressState: false,
  targetedInterrupt: false,
  emptyNodeErrors: () => [],
  noPromptError: 'no prompt',
  exceptionMessage: (_type, message) => message,
  executionFrames: [
    frame(
      'execution.py',
      327,
      'execute',
      'output_data, output_ui, has_subgraph = get_output_data(obj, input_data_all, execution_block_cb=execution_block_cb, pre_execute_cb=pre_execute_cb)',
      'get_output_data(',
    ),
    frame(
      'execution.py',
      202,
      'get_output_data',
      'return_values = _map_node_over_list(obj, input_data_all, obj.FUNCTION, allow_interrupt=True, execution_block_cb=execution_block_cb, pre_execute_cb=pre_execute_cb)',
      '_map_node_over_list(',
    ),
    frame('execution.py', 174, '_map_node_over_list', 'process_inputs(input_dict, i)'),
    `${frame('execution.py', 163, 'process_inputs', 'results.append(getattr(obj, func)(**inputs))')}                   ^^^^^^^^^^^^^^^^^^^^^^^^^^^^\n`,
  ],
  deadLinkFrames: [
    frame(
      'execution.py',
      804,
      'validate_prompt',
      'm = validate_inputs(prompt, o, validated)',
      'validate_inputs(',
    ),
    deadLinkLine(591),
  ],
  checkpoints: [],
  marksExtraData: false,
  hasJobs: false,
  features: {},
  system: {},
  moreModelFolders: [],
};

export const V0_8: Dialect = {
  ...MODERN,
  version: '0.8.0',
  executionFrames: [
    frame(
      'execution.py',
      518,
      'execute',
      'output_data, output_ui, has_subgraph, has_pending_tasks = await get_output_data(prompt_id, unique_id, obj, input_data_all, execution_block_cb=execution_block_cb, pre_execute_cb=pre_execute_cb, v3_data=v3_data)',
      'await',
    ),
    frame(
      'execution.py',
      329,
      'get_output_data',
      'return_values = await _async_map_node_over_list(prompt_id, unique_id, obj, input_data_all, obj.FUNCTION, allow_interrupt=True, execution_block_cb=execution_block_cb, pre_execute_cb=pre_execute_cb, v3_data=v3_data)',
      'await',
    ),
    frame('execution.py', 303, '_async_map_node_over_list', 'await process_inputs(input_dict, i)'),
    frame('execution.py', 291, 'process_inputs', 'result = f(**inputs)', 'f('),
  ],
  deadLinkFrames: [
    frame(
      'execution.py',
      1043,
      'validate_prompt',
      'm = await validate_inputs(prompt_id, prompt, o, validated)',
      'await',
    ),
    deadLinkLine(818),
  ],
  checkpoints: [],
  marksExtraData: true,
  hasJobs: true,
  features: { ...MODERN.features, extension: { manager: { supports_v4: true } } },
  system: {
    os: 'linux',
    required_frontend_version: '1.35.9',
    required_templates_version: '0.7.67',
    argv: [
      '/srv/ComfyUI/main.py',
      '--cpu',
      '--port',
      '8300',
      '--listen',
      '127.0.0.1',
      '--front-end-root',
      '/srv/frontend',
      '--base-directory',
      '/srv/ComfyUI',
      '--database-url',
      'sqlite:///:memory:',
      '--preview-method',
      'latent2rgb',
    ],
  },
  moreModelFolders: ['latent_upscale_models'],
};

const DIALECTS: Record<Version, Dialect> = { '0.3.11': LEGACY, '0.3.64': MODERN, '0.8.0': V0_8 };

export function dialectOf(version: Version): Dialect {
  return DIALECTS[version];
}
