import { expect, it } from 'vitest';
import { jobCharts, seriesSummary } from './job-charts.ts';

const timestamps = ['2026-11-26T12:00:20Z', '2026-11-26T12:00:10Z'];
const metric = (name: string, ...values: number[]) => ({
  name,
  timestamps: timestamps.slice(0, values.length),
  values,
});
const cpu = [
  metric('cpu_usage_percent', 150, 50),
  metric('cpus_detected_num', 4, 4),
  metric('memory_working_set_bytes', 2048, 1024),
  metric('memory_total_bytes', 4096, 4096),
];

it('draws CPU and memory as shares of what there is, oldest first', () => {
  const [processor, memory, ...more] = jobCharts({ metrics: cpu });
  expect(processor?.series[0]?.values).toEqual([0.125, 0.375]);
  expect(memory).toMatchObject({ max: 4096, series: [{ values: [1024, 2048] }] });
  expect(more).toEqual([]);
});

it('draws memory up to what there is only where the use comes near it', () => {
  const memoryOf = (...used: number[]) =>
    jobCharts({
      metrics: [
        metric('memory_working_set_bytes', ...used),
        metric('memory_total_bytes', ...used.map(() => 1000)),
      ],
    })[1];
  expect(memoryOf(10, 499)).toMatchObject({ max: null, capacity: 1000 });
  expect(memoryOf(10, 500)).toMatchObject({ max: 1000, capacity: 1000 });
});

it('draws a line for each GPU, in their order, with holes where there is no value', () => {
  const gpus = [
    metric('gpu_util_percent_gpu10', 90),
    metric('gpu_util_percent_gpu2', 40, 20),
    metric('gpu_memory_usage_bytes_gpu2', 1, 1),
    metric('gpu_memory_total_bytes', 8, 8),
  ];
  const [, , use, , memory] = jobCharts({ metrics: [...cpu, ...gpus] });
  expect(use?.series).toEqual([
    { label: 'GPU 2', values: [0.2, 0.4] },
    { label: 'GPU 10', values: [null, 0.9] },
  ]);
  expect(memory).toMatchObject({ max: null, capacity: 8 });
});

it('can be read without seeing', () => {
  const [processor] = jobCharts({ metrics: cpu });
  expect(seriesSummary(processor!.series[0]!, processor!.format)).toBe('latest 38 %, 13 % to 38 %');
  expect(seriesSummary({ label: '', values: [null] }, String)).toBe('no values');
});

it('draws nothing out of nothing', () => {
  expect(jobCharts({ metrics: [] }).map(({ times }) => times.length)).toEqual([0, 0]);
});

it('draws the average of all GPUs between the lowest and the highest', () => {
  const use = ['0', '1', '2'].map((gpu) =>
    metric(`gpu_util_percent_gpu${gpu}`, ...(gpu === '2' ? [75] : [50, 25 + Number(gpu) * 50])),
  );
  const [, , , spread] = jobCharts({ metrics: [...cpu, ...use] });
  expect(spread).toMatchObject({
    title: 'GPU use of all GPUs',
    max: 1,
    bands: [{ line: 0, high: 1, low: 2 }],
  });
  expect(spread?.series).toEqual([
    { label: 'Average', values: [0.5, 1.75 / 3] },
    { label: 'Highest', values: [0.75, 0.75] },
    { label: 'Lowest', values: [0.25, 0.5] },
  ]);
});

it('draws one GPU once', () => {
  const charts = jobCharts({ metrics: [...cpu, metric('gpu_util_percent_gpu0', 50, 40)] });
  expect(charts.map(({ title }) => title)).toEqual(['CPU', 'Memory', 'GPU use', 'GPU memory']);
});
