import type { Job, JobMetrics, Resources } from '@dstack/contract/wire';
import { utcClock } from '../../format/time.ts';
import { gigabytes } from '../../format/values.ts';
import type { Paint } from '../../terminal/style.ts';
import { type Sample, sparkline, sparkStyle } from './sparkline.ts';

export interface JobCharts {
  readonly job: Job;
  readonly metrics: JobMetrics['metrics'];
  readonly resources: Resources | null;
}

export interface MetricsView {
  readonly now: number;
  readonly width: number;
  readonly paint: Paint;
}

const MIN_WINDOW_MS = 3_600_000;
const FRESH_MS = 30_000;
const MIB = 1024 * 1024;

interface Chart {
  readonly kind: 'host' | 'gpu';
  readonly samples: readonly Sample[];
  readonly label: string;
}

interface Line {
  readonly job: string;
  readonly name: string;
  readonly utilization: Chart;
  readonly memory: Chart;
}

/** Utilization and memory of every job, all in the same window of time. */
export function metricsText(jobs: readonly JobCharts[], view: MetricsView): string {
  const lines = jobs.flatMap((job) => linesOf(job, labelOf(job.job, jobs)));
  const all = lines.flatMap((l) => [...l.utilization.samples, ...l.memory.samples]);
  if (all.length === 0) return ' no data (metrics appear some seconds after the start)\n';
  const to = Math.max(...all.map((s) => s.at));
  const from = Math.min(to - MIN_WINDOW_MS, Math.min(...all.map((s) => s.at)));
  const jobWidth = Math.max(...lines.map((l) => l.job.length));
  const nameWidth = Math.max(...lines.map((l) => l.name.length));
  const labelWidth = jobWidth + 2 + nameWidth;
  const chart = Math.max(10, Math.min(80, Math.floor((view.width - 30 - labelWidth) / 2)));
  const indent = ` ${' '.repeat(labelWidth)}  `;
  const gap = chart + 10;
  const head = `${indent}${view.paint('bold', 'UTILIZATION'.padEnd(gap))}${view.paint('bold', 'MEMORY')}`;
  let previous = '';
  const body = lines.map((line) => {
    const label = line.job === previous ? '' : line.job;
    previous = line.job;
    const spark = (c: Chart): string => sparkText(c, from, to, chart, view.paint);
    const left = spark(line.utilization);
    const pad = ' '.repeat(Math.max(1, gap - chart - 1 - line.utilization.label.length));
    return ` ${label.padEnd(jobWidth)}  ${line.name.padEnd(nameWidth)}  ${left} ${line.utilization.label}${pad}${spark(line.memory)} ${line.memory.label}`;
  });
  const axis = axisText(from, to, chart, view.now);
  const foot = view.paint('secondary', `${indent}${axis.padEnd(gap)}${axis}`);
  return `${[head, ...body, '', foot].join('\n')}\n`;
}

function sparkText(chart: Chart, from: number, to: number, width: number, paint: Paint): string {
  if (chart.samples.length === 0) return 'no data'.padEnd(width);
  return sparkline(chart.samples, from, to, width)
    .map((c) => (c.mean === null ? ' ' : paint(sparkStyle(chart.kind, c.mean), c.glyph)))
    .join('');
}

/** The zone and the day of both ends are named once: in 80 columns there is no room for more. */
function axisText(from: number, to: number, width: number, now: number): string {
  const isFresh = now - to < FRESH_MS;
  const first = `${dayOf(from)} ${clockOf(from)}`;
  const last = dayOf(from) === dayOf(to) ? clockOf(to) : `${dayOf(to)} ${clockOf(to)}`;
  const start = isFresh ? first : first.replace(' UTC', '');
  const end = isFresh ? 'now' : last;
  const rest = width - start.length - end.length - 2;
  return rest < 1 ? `${start}┄${end}` : `${start} ${'┄'.repeat(rest)} ${end}`;
}

const clockOf = (at: number): string => utcClock(new Date(at).toISOString());

function dayOf(at: number): string {
  const date = new Date(at);
  const month = date.toLocaleString('en', { month: 'short', timeZone: 'UTC' });
  return `${date.getUTCDate()} ${month}`;
}

/** Only the numbers that distinguish the jobs. */
function labelOf(job: Job, all: readonly JobCharts[]): string {
  const specs = all.map((j) => j.job.job_spec);
  const several = (values: unknown[]): boolean => new Set(values).size > 1;
  const parts: string[] = [];
  if (several(specs.map((s) => s.replica_group))) parts.push(`group=${job.job_spec.replica_group}`);
  if (several(specs.map((s) => s.replica_num))) parts.push(`replica=${job.job_spec.replica_num}`);
  parts.push(`job=${job.job_spec.job_num}`);
  return parts.join(' ');
}

function linesOf({ metrics, resources }: JobCharts, job: string): Line[] {
  const series = (name: string): { at: number; value: number }[] => {
    const metric = metrics.find((m) => m.name === name);
    return (metric?.timestamps ?? []).map((t, i) => ({
      at: Date.parse(t),
      value: Number(metric?.values[i] ?? 0),
    }));
  };
  const cores = resources?.cpus || series('cpus_detected_num')[0]?.value || 1;
  const totalBytes = resources
    ? resources.memory_mib * MIB
    : (series('memory_total_bytes')[0]?.value ?? 0);
  const cpu = series('cpu_usage_percent').map((s) => ({ at: s.at, value: s.value / cores }));
  const lines: Line[] = [
    {
      job,
      name: 'cpu',
      utilization: { kind: 'host', samples: cpu, label: percent(cpu) },
      memory: memoryChart('host', series('memory_working_set_bytes'), totalBytes),
    },
  ];
  const gpus = series('gpus_detected_num')[0]?.value ?? 0;
  const gpuBytes = (resources?.gpus[0]?.memory_mib ?? 0) * MIB;
  const gpuTotal = series('gpu_memory_total_bytes')[0]?.value || gpuBytes;
  for (let i = 0; i < gpus; i += 1) {
    const util = series(`gpu_util_percent_gpu${i}`);
    lines.push({
      job,
      name: `gpu=${i}`,
      utilization: { kind: 'gpu', samples: util, label: percent(util) },
      memory: memoryChart('gpu', series(`gpu_memory_usage_bytes_gpu${i}`), gpuTotal),
    });
  }
  return lines;
}

/** The API returns the newest value first. */
function percent(samples: readonly Sample[]): string {
  const latest = samples[0];
  return latest === undefined ? '' : `${Math.round(latest.value)}%`;
}

function memoryChart(kind: Chart['kind'], bytes: readonly Sample[], total: number): Chart {
  const latest = bytes[0];
  const label =
    latest === undefined
      ? ''
      : `${gigabytes(latest.value / MIB)}${total > 0 ? `/${gigabytes(total / MIB)}` : ''}`;
  const samples = bytes.map((s) => ({ at: s.at, value: total > 0 ? (s.value / total) * 100 : 0 }));
  return { kind, samples, label };
}
