import type { Dialect } from '../dialect.js';
import type { Route } from './context.js';
import { sendEmpty, sendJson, sendJsonText } from './respond.js';

/** The folders of recording 18. */
const MODEL_FOLDERS = [
  'checkpoints',
  'configs',
  'loras',
  'vae',
  'text_encoders',
  'diffusion_models',
  'clip_vision',
  'style_models',
  'embeddings',
  'diffusers',
  'vae_approx',
  'controlnet',
  'gligen',
  'upscale_models',
  'custom_nodes',
  'hypernetworks',
  'photomaker',
  'classifiers',
  'model_patches',
  'audio_encoders',
];

function modelFolders({ moreModelFolders }: Dialect): string[] {
  const at = MODEL_FOLDERS.indexOf('custom_nodes');
  return [...MODEL_FOLDERS.slice(0, at), ...moreModelFolders, ...MODEL_FOLDERS.slice(at)];
}

const MEMORY = 25276514304;
const FREE = 23859294208;

export const getSystemStats: Route = ({ response }, { dialect }) => {
  sendJson(response, 200, {
    system: {
      os: 'posix',
      ram_total: MEMORY,
      ram_free: FREE,
      comfyui_version: dialect.version,
      ...(dialect.negotiatesFeatures
        ? {
            required_frontend_version: '1.27.10',
            installed_templates_version: null,
            required_templates_version: '0.1.95',
          }
        : {}),
      python_version: '3.11.7 (main, May  9 2026, 07:35:25) [GCC 12.2.0]',
      pytorch_version: '2.13.0+cpu',
      embedded_python: false,
      argv: [
        '/srv/ComfyUI/main.py',
        '--cpu',
        '--listen',
        '127.0.0.1',
        '--port',
        '8188',
        '--front-end-root',
        '/srv/frontend',
        '--disable-api-nodes',
        '--preview-method',
        'latent2rgb',
      ],
      ...dialect.system,
    },
    devices: [
      {
        name: 'cpu',
        type: 'cpu',
        index: null,
        vram_total: MEMORY,
        vram_free: FREE,
        torch_vram_total: MEMORY,
        torch_vram_free: FREE,
      },
    ],
  });
};

export const getFeatures: Route = ({ response }, { dialect }) => {
  if (dialect.negotiatesFeatures) sendJson(response, 200, dialect.features);
  else sendEmpty(response, 404);
};

export const getObjectInfo: Route = ({ response }, { info }) => {
  sendJsonText(response, 200, info.describeAll());
};

export const getObjectInfoOf: Route = ({ response, name }, { info }) => {
  sendJsonText(response, 200, info.describe(name));
};

export const getModels: Route = ({ response }, { dialect }) => {
  sendJson(response, 200, modelFolders(dialect));
};

export const getModelsOf: Route = ({ response, name }, { dialect, options }) => {
  if (!modelFolders(dialect).includes(name)) return sendEmpty(response, 404);
  sendJson(response, 200, name === 'checkpoints' ? options.checkpoints : []);
};
