/** What an image says of itself before anything of it is decoded. */
export interface Layout {
  width: number;
  height: number;
  /** 1 or more. */
  frames: number;
  /** The file ends before the image does. ComfyUI shows what is there, and grey or black for the rest. */
  truncated?: boolean;
}
