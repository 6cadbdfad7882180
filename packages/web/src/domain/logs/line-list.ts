import type { LogLine } from './line-reader.ts';

/** The place of the first line whose id is not below `id`; ids rise, but some may be left out. */
export function lineIndex(lines: readonly LogLine[], id: number): number {
  const first = lines[0]?.id ?? 0;
  if (isDense(lines)) return Math.min(lines.length, Math.max(0, id - first));
  let low = 0;
  let high = lines.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((lines[middle]?.id ?? 0) < id) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Whether no line is left out between the first and the last one. */
export function isDense(lines: readonly LogLine[]): boolean {
  return (lines.at(-1)?.id ?? 0) - (lines[0]?.id ?? 0) === Math.max(0, lines.length - 1);
}
