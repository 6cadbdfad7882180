import { expect, it } from 'vitest';
import { jobCharts } from './job-charts.ts';
import { nodeCharts } from './node-charts.ts';

const at = (seconds: number) => new Date(seconds * 1000).toISOString();
const metric = (name: string, times: readonly number[], values: readonly number[]) => ({
  name,
  timestamps: times.map(at),
  values: [...values],
});
const node = (job: string, times: readonly number[], memory: number, gpus: readonly number[]) => ({
  job,
  charts: jobCharts({
    metrics: [
      metric(
        'cpu_usage_percent',
        times,
        times.map(() => 50),
      ),
      ...['memory_total_bytes', 'memory_working_set_bytes'].map((name) =>
        metric(
          name,
          times,
          times.map(() => memory),
        ),
      ),
      ...gpus.map((use, gpu) =>
        metric(
          `gpu_util_percent_gpu${gpu}`,
          times,
          times.map(() => use),
        ),
      ),
    ],
  }),
});

it('draws a measure of all jobs over the same time and up to the same value', () => {
  const measures = nodeCharts([node('a', [20, 10], 64, []), node('b', [40, 30], 128, [])]);
  expect(measures.map(({ title }) => title)).toEqual(['CPU', 'Memory']);
  const [cpu, memory] = measures;
  expect(cpu?.charts.map(({ job, times }) => [job, times])).toEqual([
    ['a', [10, 20, 40]],
    ['b', [10, 30, 40]],
  ]);
  expect(cpu?.charts[1]?.series[0]?.values).toEqual([null, 0.5, 0.5]);
  expect(memory?.charts.map(({ max }) => max)).toEqual([128, 128]);
});

it('draws the GPUs of a job together, and leaves out jobs without', () => {
  const measures = nodeCharts([
    node('a', [20, 10], 64, [20, 60]),
    node('b', [20, 10], 64, [30]),
    node('c', [20, 10], 64, []),
  ]);
  const use = measures.find(({ title }) => title === 'GPU use');
  expect(use?.charts.map(({ job, series }) => [job, series.map(({ label }) => label)])).toEqual([
    ['a', ['Average', 'Highest', 'Lowest']],
    ['b', ['GPU 0']],
  ]);
});

it('draws nothing out of nothing', () => {
  const empty = nodeCharts([{ job: 'a', charts: jobCharts({ metrics: [] }) }]);
  expect(empty.flatMap(({ charts }) => charts.flatMap(({ times }) => times))).toEqual([]);
});
