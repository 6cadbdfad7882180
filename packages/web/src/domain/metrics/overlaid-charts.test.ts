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
    charts: [chart('CPU', [1000, 1020, 1040], [0.1, 0.2, 0.3])],
  };
  const b = { label: 'b', start: 5000, charts: [chart('CPU', [5021], [0.5])] };
  const [cpu, ...others] = overlaidCharts([a, b]);
  expect(others).toEqual([]);
  expect(cpu?.times).toEqual([0, 20, 40]);
  expect(cpu?.series).toEqual([
    { label: 'a', values: [0.1, 0.2, 0.3] },
    { label: 'b', values: [null, 0.5, null] },
  ]);
  expect(cpu?.times.map((time) => cpu.timeText?.(time))).toEqual(['0', '20 s', '40 s']);
});

it('of several GPUs the average is drawn, and only runs that have some', () => {
  const a = { label: 'a', start: 0, charts: [chart('GPU use', [0], [0.2], [0.4])] };
  const [gpus] = overlaidCharts([a, { label: 'b', start: 0, charts: [] }]);
  expect(gpus?.series.map(({ label }) => label)).toEqual(['a']);
  expect(gpus?.series[0]?.values[0]).toBeCloseTo(0.3);
});

it('days of measurements become few values, and a wrong clock none before the start', () => {
  const times = Array.from({ length: 20_000 }, (_, index) => index * 10 - 100);
  const long = {
    label: 'a',
    start: 0,
    charts: [
      chart(
        'CPU',
        times,
        times.map(() => 0.5),
      ),
    ],
  };
  const [cpu] = overlaidCharts([long]);
  expect(cpu?.times.length).toBeLessThanOrEqual(401);
  expect(cpu?.times[0]).toBe(0);
  expect(cpu?.series[0]?.values.every((value) => value === 0.5)).toBe(true);
});
