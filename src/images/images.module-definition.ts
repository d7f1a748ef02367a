import { ConfigurableModuleBuilder } from '@nestjs/common';

export interface ImagesOptions {
  /** Pixels that an image may have, in millions, all frames counted. @default 100 */
  maxMegapixels?: number | undefined;
  /** Milliseconds that one image may be worked at. @default 120 000 */
  timeoutMs?: number | undefined;
}

export const { ConfigurableModuleClass, MODULE_OPTIONS_TOKEN: IMAGES_OPTIONS } =
  new ConfigurableModuleBuilder<ImagesOptions>().setClassMethodName('forRoot').build();
