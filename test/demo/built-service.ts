/**
 * The service as `npm run build` made it. Not its sources: the loader that runs this demo leaves out the metadata that
 * Nest's injection lives on.
 */
export async function loadBuiltService() {
  const built = (path: string) => import(new URL(`../../dist/${path}`, import.meta.url).href);
  const [setup, config, comfy] = (await Promise.all([
    built('app.setup.js'),
    built('config/index.js'),
    built('comfy/index.js'),
  ])) as [
    typeof import('../../src/app.setup.js'),
    typeof import('../../src/config/index.js'),
    typeof import('../../src/comfy/index.js'),
  ];
  return {
    createApp: setup.createApp,
    readSettings: config.readSettings,
    ComfyService: comfy.ComfyService,
    isFinal: comfy.isFinal,
  };
}
