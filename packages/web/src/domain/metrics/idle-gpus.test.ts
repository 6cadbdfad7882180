import { expect, it } from 'vitest';
import type { ChartData } from './chart-data.ts';
import { chartsCsv } from './charts-csv.ts';
import { idleGpus } from './idle-gpus.ts';

const times = Array.from({ length: 121 }, (_, index) => 1_000_000 + index * 10);
const END = 1_001_200;
const chartOf = (...gpus: (readonly (number | null)[])[]): ChartData => ({
  title: 'GPU use',
  times,
  series: gpus.map((values, index) => ({ label: `GPU ${index}`, values })),
  max: 1,
  unit: '%',
  format: String,
});
const of = (value: (index: number) => number | null) => times.map((_, index) => value(index));

it('names GPUs that a running job has not used for ten minutes', () => {
  const idle = of((index) => (index < 40 ? 0.9 : 0.01));
  const briefly = of((index) => (index < 90 ? 0.9 : 0));
  const missing = of(() => null);
  expect(idleGpus([chartOf(idle, briefly, missing)], END)).toEqual({
    gpus: ['GPU 0'],
    seconds: 800,
  });
  expect(idleGpus([chartOf(briefly)], END)).toBeNull();
});

it('leaves jobs alone that run no more, or have no GPUs', () => {
  const idle = of(() => 0);
  expect(idleGpus([chartOf(idle)], END + 600)).toBeNull();
  expect(idleGpus([], END)).toBeNull();
});

it('is exported as values for other programs, in percent and bytes, with holes where there is no value', () => {
  const memory: ChartData = {
    ...{ title: 'Memory', times: [10, 30], max: null, unit: 'bytes', format: String },
    series: [{ label: 'Memory', values: [1024, 2048] }],
  };
  const use: ChartData = {
    ...{ title: 'GPU use', times: [10, 20], max: 1, unit: '%', format: String },
    series: [{ label: 'GPU 0', values: [0.55, null] }],
  };
  expect(chartsCsv([memory, use])).toBe(
    [
      'time,Memory (bytes),GPU use GPU 0 (%)\r\n',
      '1970-01-01T00:00:10.000Z,1024,55\r\n',
      '1970-01-01T00:00:20.000Z,,\r\n',
      '1970-01-01T00:00:30.000Z,2048,\r\n',
    ].join(''),
  );
});
