/** What this application reads from its environment, in its own words. */
export abstract class PosterSettings {
  abstract readonly comfyui: string;
  abstract readonly pictureFolder: string;
  /** Where its pictures are reached. */
  abstract readonly publicUrl: string;
}
