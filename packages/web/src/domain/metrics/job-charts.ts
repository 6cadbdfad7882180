import type { JobMetrics } from '@dstack/contract/wire';
import { bytes, percent } from '../format/quantities.ts';
import type { ChartData, ChartSeries } from './chart-data.ts';
import { spreadOf } from './spread.ts';

type Metric = JobMetrics['metrics'][number];

/** The charts of a job: CPU, memory and, where there are GPUs, their use and memory. */
export function jobCharts({ metrics }: JobMetrics): readonly ChartData[] {
  const times = [...new Set(metrics.flatMap(({ timestamps }) => timestamps.map(Date.parse)))].sort(
    (a, b) => a - b,
  );
  const values = (name: string) => alignedTo(times, find(metrics, name));
  const cpus = latest(find(metrics, 'cpus_detected_num')) || 1;
  const memory = latest(find(metrics, 'memory_total_bytes'));
  const gpuMemory = latest(find(metrics, 'gpu_memory_total_bytes'));
  const memoryUse = values('memory_working_set_bytes');
  const seconds = times.map((time) => time / 1000);
  const gpus = metrics
    .flatMap(({ name }) => /^gpu_util_percent_gpu(\d{1,4})$/.exec(name)?.[1] ?? [])
    .sort((a, b) => Number(a) - Number(b));
  const charts: ChartData[] = [
    {
      title: 'CPU',
      times: seconds,
      series: [{ label: 'CPU', values: scaled(values('cpu_usage_percent'), 1 / cpus / 100) }],
      max: 1,
      unit: '%',
      format: percent,
    },
    {
      title: 'Memory',
      times: seconds,
      series: [{ label: 'Memory', values: memoryUse }],
      ...axisOf([memoryUse], memory),
      unit: 'bytes',
      format: bytes,
    },
  ];
  if (gpus.length === 0) return charts;
  const ofGpus: readonly ChartData[] = [
    {
      title: GPU_USE,
      times: seconds,
      series: gpus.map((gpu) => ({
        label: `GPU ${gpu}`,
        values: scaled(values(`gpu_util_percent_gpu${gpu}`), 1 / 100),
      })),
      max: 1,
      unit: '%',
      format: percent,
    },
    {
      title: 'GPU memory',
      times: seconds,
      series: gpus.map((gpu) => ({
        label: `GPU ${gpu}`,
        values: values(`gpu_memory_usage_bytes_gpu${gpu}`),
      })),
      ...axisOf(
        gpus.map((gpu) => values(`gpu_memory_usage_bytes_gpu${gpu}`)),
        gpuMemory,
      ),
      unit: 'bytes',
      format: bytes,
    },
  ];
  return [
    ...charts,
    ...ofGpus.flatMap((chart) => (gpus.length < 2 ? [chart] : [chart, spreadOf(chart)])),
  ];
}

/** The share from which the axis ends at the capacity: a gigabyte of a terabyte would be a flat line. */
const NEAR_CAPACITY = 0.5;

/** The axis ends at the capacity where the use comes near it; otherwise it is as high as the values need. */
function axisOf(
  lines: readonly (readonly (number | null)[])[],
  capacity: number | null,
): Pick<ChartData, 'max' | 'capacity'> {
  const highest = lines.flat().reduce<number>((high, value) => Math.max(high, value ?? 0), 0);
  const isNear = capacity !== null && highest >= capacity * NEAR_CAPACITY;
  return { max: isNear ? capacity : null, capacity };
}

/** The title of the chart with a line for each GPU. */
export const GPU_USE = 'GPU use';

const find = (metrics: readonly Metric[], name: string): Metric | undefined =>
  metrics.find((metric) => metric.name === name);

/** Newest first on the wire. */
const latest = (metric: Metric | undefined): number | null => metric?.values[0] ?? null;

function alignedTo(times: readonly number[], metric: Metric | undefined): (number | null)[] {
  const at = new Map(
    metric?.timestamps.map((time, index) => [Date.parse(time), metric.values[index] ?? null]),
  );
  return times.map((time) => at.get(time) ?? null);
}

const scaled = (values: readonly (number | null)[], factor: number): (number | null)[] =>
  values.map((value) => (value === null ? null : value * factor));

/** `latest 37 %, 12 % to 98 %`, for readers who do not see the chart. */
export function seriesSummary({ values }: ChartSeries, format: (value: number) => string): string {
  const known = values.filter((value) => value !== null);
  if (known.length === 0) return 'no values';
  const low = known.reduce((a, b) => Math.min(a, b));
  const high = known.reduce((a, b) => Math.max(a, b));
  return `latest ${format(known.at(-1) ?? 0)}, ${format(low)} to ${format(high)}`;
}
