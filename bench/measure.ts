/** Figures and their output: one JSON line each. */

export interface Figure {
  readonly name: string;
  readonly unit: string;
  readonly [value: string]: number | string | null;
}

export function print(figure: Figure): void {
  console.log(JSON.stringify(figure));
}

export function percentile(samples: readonly number[], p: number): number {
  const sorted = [...samples].sort((a, b) => a - b);
  const index = Math.min(sorted.length - 1, Math.ceil((p / 100) * sorted.length) - 1);
  return sorted[Math.max(0, index)] ?? Number.NaN;
}

/** p50, p95, p99 and the count, rounded to a tenth. */
export function summary(samples: readonly number[]) {
  const tenth = (value: number) => Math.round(value * 10) / 10;
  return {
    p50: tenth(percentile(samples, 50)),
    p95: tenth(percentile(samples, 95)),
    p99: tenth(percentile(samples, 99)),
    n: samples.length,
  };
}
