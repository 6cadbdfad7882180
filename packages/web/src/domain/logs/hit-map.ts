import { lineIndex } from './line-list.ts';
import type { LogLine } from './line-reader.ts';
import type { Hit } from './log-search.ts';

/** The rows of the map; more would be thinner than a pixel on most screens. */
export const MAP_ROWS = 300;

/** The rows of a map of the whole log, from its first to its last line, that have hits. */
export function hitRows(hits: readonly Hit[], lines: readonly LogLine[]): readonly number[] {
  const [first, last] = [lines[0]?.id, lines.at(-1)?.id];
  if (first === undefined || last === undefined) return [];
  const rows = new Set<number>();
  for (const { line } of hits) {
    if (line < first || line > last) continue;
    rows.add(Math.floor((lineIndex(lines, line) / lines.length) * MAP_ROWS));
  }
  return [...rows].sort((a, b) => a - b);
}

/** The hit that is nearest to a place of the map, 0 (the first line) to 1; −1: there are none. */
export function nearestHit(hits: readonly Hit[], lines: readonly LogLine[], part: number): number {
  const wanted = lines[Math.floor(part * lines.length)]?.id ?? lines.at(-1)?.id ?? 0;
  let nearest = -1;
  let distance = Number.POSITIVE_INFINITY;
  for (const [index, { line }] of hits.entries()) {
    const away = Math.abs(line - wanted);
    if (away < distance) [nearest, distance] = [index, away];
  }
  return nearest;
}
