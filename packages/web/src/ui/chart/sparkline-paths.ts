export interface SparklineBox {
  readonly width: number;
  readonly height: number;
  /** The times at the left and the right edge. */
  readonly start: number;
  readonly end: number;
}

/** The points of each unbroken part of a line, as polylines have them. */
export function sparklinePaths(
  times: readonly number[],
  values: readonly (number | null)[],
  { width, height, start, end }: SparklineBox,
): readonly string[] {
  const parts: string[][] = [[]];
  for (const [index, time] of times.entries()) {
    const value = values[index] ?? null;
    const part = parts.at(-1) ?? [];
    if (value === null || time < start) {
      if (part.length > 0) parts.push([]);
      continue;
    }
    const x = ((Math.min(time, end) - start) / Math.max(1, end - start)) * width;
    const y = height - 1 - Math.min(1, Math.max(0, value)) * (height - 2);
    part.push(`${x.toFixed(1)},${y.toFixed(1)}`);
  }
  // A line of one point would not be visible.
  return parts
    .filter((part) => part.length > 0)
    .map((part) => (part.length === 1 ? [...part, ...part] : part).join(' '));
}
