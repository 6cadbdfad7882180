import { expect, it } from 'vitest';
import { hitRows, MAP_ROWS, nearestHit } from './hit-map.ts';
import { LogLineReader } from './line-reader.ts';
import { findHits } from './log-search.ts';

const text = Array.from({ length: 1000 }, (_, i) => (i % 250 === 0 ? `mark ${i}` : `line ${i}`));
const lines = new LogLineReader().read(new TextEncoder().encode(`${text.join('\n')}\n`));
const hits = findHits(lines, 'mark');

it('shows where in the whole log the hits are', () => {
  expect(hitRows(hits, lines)).toEqual([0, MAP_ROWS / 4, MAP_ROWS / 2, (MAP_ROWS * 3) / 4]);
  expect(hitRows(hits, lines.slice(500))).toEqual([0, MAP_ROWS / 2]);
  expect(hitRows(hits, [])).toEqual([]);
});

it('leads to the hit that is nearest to a place', () => {
  expect([0, 0.3, 0.99].map((part) => nearestHit(hits, lines, part))).toEqual([0, 1, 3]);
  expect(nearestHit([], lines, 0.5)).toBe(-1);
});
