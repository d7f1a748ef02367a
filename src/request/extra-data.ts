import { ApiPropertyOptional, ApiSchema } from '@nestjs/swagger';
import { fieldProblem } from '../problem/index.js';
import { isObject } from './lenient.js';

const MAX_KEY = 4_096;

/** Keys of partner nodes, as ComfyUI's own page sends them. */
const KEYS = ['api_key_comfy_org', 'auth_token_comfy_org'] as const;

/** What goes with a prompt beside its workflow. */
@ApiSchema({ name: 'ExtraData', description: "What goes into the prompt's `extra_data`." })
export class ExtraDataDto {
  /** API key for partner (API) nodes. Passed on with the prompt; never written down, never logged. */
  @ApiPropertyOptional({ type: 'string', minLength: 1, maxLength: MAX_KEY })
  api_key_comfy_org?: string;

  /** Token of a session at comfy.org, for the same nodes. Passed on with the prompt; never written down, never logged. */
  @ApiPropertyOptional({ type: 'string', minLength: 1, maxLength: MAX_KEY })
  auth_token_comfy_org?: string;

  /** What save nodes write into the metadata of their files, such as `{"workflow": …}`, the workflow as the page saves it. */
  @ApiPropertyOptional({ type: 'object', additionalProperties: true })
  extra_pnginfo?: Record<string, unknown>;
}

/** As the engine takes it. */
export interface ReadExtraData {
  /** Secrets; undefined where there are none. */
  extraData: Record<string, string> | undefined;
  pngInfo: Record<string, unknown> | undefined;
}

/**
 * Reads `extra_data`. What is null counts as left out.
 * @param strict other members are refused; else they are left out, as those of a whole request to ComfyUI are
 * @throws ProblemException `invalid_request`
 */
export function readExtraData(given: unknown, { strict }: { strict: boolean }): ReadExtraData {
  if (given === undefined || given === null) return { extraData: undefined, pngInfo: undefined };
  if (!isObject(given)) throw fieldProblem({ field: 'extra_data', message: 'must be an object' });
  const { extra_pnginfo: pngInfo, ...rest } = given;
  const unknown = Object.keys(rest).find((name) => !KEYS.some((key) => key === name));
  if (strict && unknown !== undefined) {
    throw fieldProblem({
      field: `extra_data.${unknown.slice(0, 64)}`,
      message: 'is not a field of this request',
    });
  }
  if (pngInfo !== undefined && pngInfo !== null && !isObject(pngInfo)) {
    throw fieldProblem({ field: 'extra_data.extra_pnginfo', message: 'must be an object' });
  }
  const keys = KEYS.flatMap((name) => {
    const key = Object.hasOwn(rest, name) ? rest[name] : undefined;
    return key === undefined || key === null ? [] : [[name, expectKey(key, name)] as const];
  });
  return {
    extraData: keys.length === 0 ? undefined : Object.fromEntries(keys),
    pngInfo: pngInfo ?? undefined,
  };
}

function expectKey(key: unknown, name: string): string {
  if (typeof key === 'string' && key.length > 0 && key.length <= MAX_KEY) return key;
  throw fieldProblem({ field: `extra_data.${name}`, message: `must be text of 1 to ${MAX_KEY} characters` });
}
