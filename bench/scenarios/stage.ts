import type { StandinOptions } from '../../test/comfyui/index.js';
import { BareClient, type BareClientOptions } from '../clients/bare-client.js';
import type { Client } from '../clients/client.js';
import { ServiceClient } from '../clients/service-client.js';
import { Service } from '../processes/service.js';
import { type Comfyui, startStandin } from '../processes/standin.js';

export interface Stage {
  comfyui: Comfyui;
  service: Service;
  bare: (options: BareClientOptions) => Promise<BareClient>;
  caller: (answer: 'url' | 'file', connections: number, outputsVia?: 'files' | 'socket') => ServiceClient;
}

export interface StageOptions {
  /** Address of a real ComfyUI; absent: the stand-in. */
  comfyui?: string | undefined;
  standin?: StandinOptions;
  env?: Record<string, string>;
}

/** A ComfyUI and the service in front of it, while `play` lasts; everything is closed again, whatever happens. */
export async function onStage<T>(options: StageOptions, play: (stage: Stage) => Promise<T>): Promise<T> {
  const closing: (() => Promise<void>)[] = [];
  const keep = <C extends Pick<Client, 'close'>>(opened: C): C => {
    closing.unshift(() => opened.close());
    return opened;
  };
  try {
    const comfyui = keep(
      options.comfyui === undefined
        ? await startStandin(options.standin ?? {})
        : { url: options.comfyui.replace(/\/+$/, ''), close: () => Promise.resolve() },
    );
    const service = keep(await Service.start(comfyui.url, options.env));
    return await play({
      comfyui,
      service,
      bare: async (bareOptions) => keep(await BareClient.connect(comfyui.url, bareOptions)),
      caller: (answer, connections, outputsVia) =>
        keep(
          new ServiceClient(service.url, {
            answer,
            connections,
            ...(outputsVia === undefined ? {} : { outputsVia }),
          }),
        ),
    });
  } finally {
    for (const close of closing) await close();
  }
}
