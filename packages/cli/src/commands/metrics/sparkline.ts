import type { Style } from '../../terminal/style.ts';

/** A value and when it was measured, ms since the epoch. */
export interface Sample {
  readonly at: number;
  /** Percent, 0..100. */
  readonly value: number;
}

export interface SparkCell {
  readonly glyph: string;
  /** Mean of the cell's samples; null if there are none. */
  readonly mean: number | null;
}

const GLYPHS = ['▁', '▂', '▃', '▄', '▅', '▆', '▇'];

/**
 * Divides `from`..`to` into `width` cells. The height of a cell is its peak on a fixed scale of
 * 0..100 %, so that lines of different jobs can be compared. A gap between samples repeats the
 * value before it.
 */
export function sparkline(
  samples: readonly Sample[],
  from: number,
  to: number,
  width: number,
): SparkCell[] {
  const sorted = [...samples].sort((a, b) => a.at - b.at);
  const first = sorted[0]?.at ?? Number.POSITIVE_INFINITY;
  const last = sorted.at(-1)?.at ?? Number.NEGATIVE_INFINITY;
  const step = (to - from) / width;
  let previous: SparkCell = { glyph: ' ', mean: null };
  return Array.from({ length: width }, (_, i) => {
    const start = from + i * step;
    const end = i === width - 1 ? to + 1 : start + step;
    const inside = sorted.filter((s) => s.at >= start && s.at < end).map((s) => s.value);
    if (inside.length === 0) {
      const gap = start > first && start < last;
      return gap ? previous : { glyph: ' ', mean: null };
    }
    const peak = Math.max(...inside);
    const level = Math.min(GLYPHS.length - 1, Math.floor((peak / 100) * GLYPHS.length));
    const mean = inside.reduce((sum, v) => sum + v, 0) / inside.length;
    previous = { glyph: GLYPHS[Math.max(0, level)] ?? '', mean };
    return previous;
  });
}

/** A high value is bad on the host's CPU and memory, and good on a GPU. */
export function sparkStyle(kind: 'host' | 'gpu', mean: number): Style {
  if (kind === 'host') {
    if (mean < 90) return 'progress';
    return mean < 97 ? 'gold' : 'error';
  }
  if (mean < 25) return 'secondary';
  return mean < 75 ? 'good' : 'success';
}
