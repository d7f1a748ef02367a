// A host that is still CommonJS: require() of an ES module, which Node can from 20.19 on.
require('reflect-metadata');
const { Module } = require('@nestjs/common');
const { NestFactory } = require('@nestjs/core');
const {
  AssetsModule,
  ComfyModule,
  ComfyService,
  ImagesModule,
  isFinal,
  OutboundModule,
  parseComfyuiServer,
  StateModule,
  StorageModule,
} = require('comfy-sync-server');
const { filter, firstValueFrom, map } = require('rxjs');

class AppModule {}
Module({
  imports: [
    StorageModule.forRootAsync({ useFactory: () => ({ directory: process.env.FOLDER, minFreeBytes: 0 }) }),
    StateModule.forRoot({}),
    AssetsModule.forRoot({}),
    OutboundModule.forRoot({ allowHosts: [], allowPrivate: false }),
    ImagesModule.forRoot({}),
    ComfyModule.forRoot({ backends: [parseComfyuiServer(process.env.COMFYUI)] }),
  ],
})(AppModule);

async function main() {
  const app = await NestFactory.createApplicationContext(AppModule, { logger: ['error', 'warn'] });
  const comfy = app.get(ComfyService);
  const workflow = {
    1: { class_type: 'EmptyImage', inputs: { width: 64, height: 64, batch_size: 1, color: 255 } },
    277: { class_type: 'SaveImage', inputs: { images: ['1', 0], filename_prefix: 'cjs' } },
  };
  const { id } = await comfy.submit({ workflow, outputNode: 277 });
  const end = await firstValueFrom(
    comfy.watch(id).pipe(
      map(({ state }) => state),
      filter(isFinal),
    ),
  );
  console.log(end.outputs[0]?.url ?? end.failure?.message);
  await app.close();
}

void main();
