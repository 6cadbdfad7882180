import { expect, test } from 'vitest';
import { CODES } from './style.ts';

/** Levels of red, green and blue in the colour cube 16–231 of xterm. */
const LEVELS = [0, 95, 135, 175, 215, 255];

function levelsOf(colour: number): readonly number[] {
  if (colour >= 232) return Array<number>(3).fill(8 + 10 * (colour - 232));
  const place = colour - 16;
  return [Math.floor(place / 36), Math.floor(place / 6) % 6, place % 6].map((i) => LEVELS[i] ?? 0);
}

/** Relative luminance as in WCAG 2.2. */
function luminance(colour: number): number {
  const [red = 0, green = 0, blue = 0] = levelsOf(colour).map((level) => {
    const part = level / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

const colours = Object.entries(CODES).flatMap(([style, code]) => {
  const [, colour] = /38;5;(\d+)/.exec(code) ?? [];
  return colour === undefined ? [] : [[style, Number(colour)] as const];
});

test.each(colours)('the colour of `%s` is readable on black and on white', (_style, colour) => {
  expect(colour).toBeGreaterThanOrEqual(16);
  const light = luminance(colour);
  expect((light + 0.05) / 0.05).toBeGreaterThan(3.3);
  expect(1.05 / (light + 0.05)).toBeGreaterThan(3.3);
});
