import { expect, it } from 'vitest';
import { percent } from '../format/quantities.ts';
import type { ChartData } from './chart-data.ts';
import { overlaidCharts } from './overlaid-charts.ts';

const chart = (title: string, times: number[], ...values: (number | null)[][]): ChartData => ({
  ...{ title, times, max: 1, unit: '%', format: percent },
  series: values.map((one, index) => ({ label: `GPU ${index}`, values: one })),
});

it('runs begin at the same place, whenever they began', () => {
  const a = {
    label: 'a',
    start: 1000,
    jobs: [[chart('CPU', [1000, 1020, 1040], [0.1, 0.2, 0.3])]],
  };
  const b = { label: 'b', start: 5000, jobs: [[chart('CPU', [5021], [0.5])]] };
  const [cpu, ...others] = overlaidCharts([a, b], 20);
  expect(others).toEqual([]);
  expect(cpu?.times).toEqual([0, 20, 40]);
  expect(cpu?.series).toEqual([
    { label: 'a', values: [0.1, 0.2, 0.3] },
    { label: 'b', values: [null, 0.5, null] },
  ]);
  expect(cpu?.times.map((time) => cpu.timeText?.(time))).toEqual(['0', '20 s', '40 s']);
});

it('of several GPUs the average is drawn, and only runs that have some', () => {
  const a = { label: 'a', start: 0, jobs: [[chart('GPU use', [0], [0.2], [0.4])]] };
  const [gpus] = overlaidCharts([a, { label: 'b', start: 0, jobs: [] }], 20);
  expect(gpus?.series.map(({ label }) => label)).toEqual(['a']);
  expect(gpus?.series[0]?.values[0]).toBeCloseTo(0.3);
});

it('days of measurements become few values, and a wrong clock none before the start', () => {
  const times = Array.from({ length: 20_000 }, (_, index) => index * 10 - 100);
  const long = {
    label: 'a',
    start: 0,
    jobs: [
      [
        chart(
          'CPU',
          times,
          times.map(() => 0.5),
        ),
      ],
    ],
  };
  const [cpu] = overlaidCharts([long], 20);
  expect(cpu?.times.length).toBeLessThanOrEqual(401);
  expect(cpu?.times[0]).toBe(0);
  expect(cpu?.series[0]?.values.every((value) => value === 0.5)).toBe(true);
});

it('of several jobs the average is drawn, between the highest and the lowest of each moment', () => {
  const jobs = [[chart('CPU', [0, 20], [0.2, 0.4])], [chart('CPU', [0, 21, 40], [0.6, 0.8, 0.5])]];
  const single = { label: 'b', start: 100, jobs: [[chart('CPU', [100], [0.1])]] };
  const [cpu] = overlaidCharts([single, { label: 'a', start: 0, jobs }], 20);
  expect(cpu?.series.map(({ label }) => label)).toEqual(['b', 'a', 'a, highest', 'a, lowest']);
  expect(cpu?.series[1]?.values.map((value) => value?.toFixed(2))).toEqual([
    '0.40',
    '0.60',
    '0.50',
  ]);
  expect(cpu?.series[2]?.values).toEqual([0.6, 0.8, 0.5]);
  expect(cpu?.series[3]?.values).toEqual([0.2, 0.4, 0.5]);
  expect(cpu?.bands).toEqual([{ line: 1, high: 2, low: 3 }]);
});

it('means of long steps have no gaps between them', () => {
  const times = Array.from({ length: 240 }, (_, index) => 17 + index * 300);
  const values = times.map(() => 0.5);
  const run = { label: 'a', start: 0, jobs: [[chart('CPU', times, values)]] };
  const [cpu] = overlaidCharts([run], 300);
  expect(cpu?.series[0]?.values).toEqual(values);
});
