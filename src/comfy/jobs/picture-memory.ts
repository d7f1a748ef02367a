const MIB = 1024 * 1024;

/**
 * Bounds what pictures that came over the socket take up until they are stored, of all jobs together: they come whether or not the
 * disk is ready for them, and keeping a ComfyUI's socket waiting would keep all its clients waiting.
 */
export class PictureMemory {
  private held = 0;

  constructor(private readonly maxBytes = 512 * MIB) {}

  /** @returns false: there is no room for so many bytes */
  take(bytes: number): boolean {
    if (this.held + bytes > this.maxBytes) return false;
    this.held += bytes;
    return true;
  }

  release(bytes: number): void {
    this.held -= bytes;
  }
}
