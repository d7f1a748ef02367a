export { type BackendAddress, parseComfyuiServer } from './comfyui-server.js';
export type { LinkSecret } from './link-secrets.js';
export { FIELD_DOCS, type FieldDoc } from './fields.js';
export { loadSettings } from './load-settings.js';
export * from './oss-endpoint.js';
export { type OssSettings, readSettings, type Settings, SettingsError } from './settings.js';
export { SETTINGS_SCHEMA } from './settings.schema.js';
