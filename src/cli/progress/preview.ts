import type terminalImage from 'term-img';

/** Rows of the terminal that a preview takes. */
export const PREVIEW_ROWS = 12;

/** Draws previews in one place: each replaces the one before. */
export interface Preview {
  /**
   * What to write where the cursor is at the start of a line; afterwards it is there again, below the picture.
   * @returns undefined where the terminal shows no pictures
   */
  draw(bytes: Buffer): string | undefined;
  /** The next picture gets a place of its own. */
  end(): void;
}

/** For the image protocol of iTerm2, which WezTerm, Konsole, Rio and VS Code speak, too. */
export async function createPreview(): Promise<Preview> {
  const { default: image } = await import('term-img');
  return previewWith(image);
}

export function previewWith(image: typeof terminalImage): Preview {
  let placed = false;
  return {
    draw(bytes) {
      if (bytes.length === 0) return undefined;
      const drawn = image(bytes, {
        height: PREVIEW_ROWS,
        preserveAspectRatio: true,
        fallback: () => undefined,
      });
      if (drawn === undefined) return undefined;
      // At the bottom of the terminal the first lines scroll it, and there is room.
      const room = placed ? '' : '\n'.repeat(PREVIEW_ROWS);
      placed = true;
      return `${room}\u001b7\u001b[${PREVIEW_ROWS}A${drawn}\u001b8`;
    },
    end: () => void (placed = false),
  };
}
