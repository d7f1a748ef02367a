import sharp from 'sharp';
import { drawSubject } from './subjects.js';
import { fromSharp, type Picture, rasterPicture } from './picture.js';
import { hashText, randomFrom } from './random.js';

/** What KSampler leaves in the latent for VAEDecode: enough to paint the same picture at any size. */
export interface Painting {
  readonly text: string;
  readonly seed: number;
}

const COLOURS: Record<string, string> = {
  red: '#d6332f',
  orange: '#ef8a2b',
  yellow: '#f4c531',
  gold: '#d9a520',
  golden: '#e0ac2b',
  green: '#3e9b4f',
  teal: '#1f8f8b',
  blue: '#2f66d0',
  purple: '#7b46b3',
  violet: '#8b5cd6',
  pink: '#ee86b7',
  brown: '#85572f',
  black: '#22252b',
  white: '#f4f2ec',
  grey: '#8c9199',
  gray: '#8c9199',
};

const SKIES: Record<string, readonly [top: string, bottom: string]> = {
  night: ['#0b1030', '#3a3f78'],
  sunset: ['#3b2a6b', '#ff8c5a'],
  sunrise: ['#5b6fb5', '#ffd3a1'],
  storm: ['#2f3640', '#7d8896'],
  snow: ['#b9d4ea', '#f6fafd'],
  space: ['#05060f', '#241a4a'],
};

const DEFAULT_SKIES: readonly (readonly [string, string])[] = [
  ['#4a90d9', '#dceefb'],
  ['#6c7bd4', '#fbd9c6'],
  ['#2d6a8a', '#bfe3d9'],
  ['#8a63b8', '#ffe0b5'],
];

/** A picture that shows what was asked for: sky, hills or sea, and a subject in the colours named. */
export async function paint(painting: Painting, width: number, height: number): Promise<Picture> {
  const key = `paint:${width}x${height}:${painting.seed}:${painting.text}`;
  return fromSharp(sharp(Buffer.from(svgOf(painting, width, height))), key);
}

/** The painting seen through noise: `amount` 1 is noise alone, 0 the picture. */
export function veil(picture: Picture, seed: number, amount: number): Picture {
  const random = randomFrom(seed);
  const data = Buffer.from(picture.pixels());
  for (let i = 0; i < data.length; i++) {
    data[i] = Math.round((data[i] ?? 0) * (1 - amount) + random() * 255 * amount);
  }
  const key = picture.key === undefined ? undefined : `veil:${seed}:${amount}:${picture.key}`;
  return rasterPicture(picture.width, picture.height, picture.channels, data, key);
}

function svgOf({ text, seed }: Painting, width: number, height: number): string {
  const words = text.toLowerCase().match(/[a-z]+/g) ?? [];
  const random = randomFrom((seed % 4294967296) ^ hashText(text));
  const pick = <T>(list: readonly T[]): T | undefined => list[Math.floor(random() * list.length)];
  const named = words.flatMap((word) => COLOURS[word] ?? []);
  const main = named[0] ?? pick(Object.values(COLOURS)) ?? '#d6332f';
  const second = named[1] ?? pick(Object.values(COLOURS)) ?? '#2f66d0';
  const sky = words.map((word) => SKIES[word]).find((found) => found !== undefined) ?? pick(DEFAULT_SKIES);
  const horizon = 58 + random() * 14;
  const wet = words.some((word) => ['sea', 'ocean', 'lake', 'water', 'river', 'beach'].includes(word));
  const dark = words.some((word) => ['night', 'space', 'moon'].includes(word));
  const parts = [
    `<rect width="100" height="100" fill="url(#sky)"/>`,
    `<circle cx="${15 + random() * 70}" cy="${12 + random() * 18}" r="${5 + random() * 5}" fill="${dark ? '#f2f0dc' : '#fff3b8'}" opacity="0.9"/>`,
  ];
  if (dark) {
    for (let i = 0; i < 40; i++) {
      parts.push(
        `<circle cx="${random() * 100}" cy="${random() * 55}" r="${0.2 + random() * 0.4}" fill="#fff"/>`,
      );
    }
  }
  for (let layer = 0; layer < 3; layer++) {
    const base = horizon + layer * 10;
    parts.push(wet && layer > 0 ? waves(base, layer, random) : hills(base, layer, second, random));
  }
  const subjects = words.flatMap((word) => drawSubject(word, main, second) ?? []);
  const at = 28 + random() * 30;
  for (const [index, subject] of subjects.slice(0, 3).entries()) {
    parts.push(`<g transform="translate(${at + index * 22} ${horizon + 6}) scale(1.25)">${subject}</g>`);
  }
  if (subjects.length === 0) {
    for (let i = 0; i < 5; i++) {
      const fill = named[i % Math.max(named.length, 1)] ?? (i % 2 === 0 ? main : second);
      parts.push(
        `<ellipse cx="${15 + random() * 70}" cy="${35 + random() * 45}" rx="${5 + random() * 10}" ry="${5 + random() * 10}" fill="${fill}" opacity="0.85" transform="rotate(${random() * 90} 50 50)"/>`,
      );
    }
  }
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 100 100" preserveAspectRatio="none"><defs><linearGradient id="sky" x1="0" y1="0" x2="0" y2="1"><stop offset="0" stop-color="${sky?.[0] ?? '#4a90d9'}"/><stop offset="1" stop-color="${sky?.[1] ?? '#dceefb'}"/></linearGradient></defs>${parts.join('')}</svg>`;
}

function hills(base: number, layer: number, tint: string, random: () => number): string {
  const points = Array.from({ length: 6 }, (_, i) => `${i * 20},${base - random() * (14 - layer * 4)}`);
  const opacity = 0.35 + layer * 0.2;
  return `<polygon points="0,100 ${points.join(' ')} 100,100" fill="#3c5a46"/><polygon points="0,100 ${points.join(' ')} 100,100" fill="${tint}" opacity="${opacity}"/>`;
}

function waves(base: number, layer: number, random: () => number): string {
  const start = random() * 4;
  const crests = Array.from({ length: 10 }, () => 'q 3,-3 6,0 t 6,0').join(' ');
  return `<path d="M ${-8 - start} ${base} ${crests} V 100 H -10 Z" fill="${layer === 1 ? '#2f7fb3' : '#1d5d8f'}"/>`;
}
