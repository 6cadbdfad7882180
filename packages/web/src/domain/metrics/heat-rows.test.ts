import { expect, it } from 'vitest';
import { percent } from '../format/quantities.ts';
import type { ChartData } from './chart-data.ts';
import { heatRows } from './heat-rows.ts';

const chart = (times: number[], ...lines: (number | null)[][]): ChartData => ({
  ...{ title: 'GPU use', times, max: 1, unit: '%', format: percent },
  series: lines.map((values, index) => ({ label: `GPU ${index}`, values })),
});

it('each GPU has a row of averages over equal parts of the time', () => {
  const times = Array.from({ length: 120 }, (_, index) => 1000 + index);
  const busy = times.map((_, index) => (index % 2 === 0 ? 1 : 0.5));
  const idle = times.map((_, index) => (index < 60 ? null : 0));
  const [first, second] = heatRows(chart(times, busy, idle));
  expect(first?.cells).toHaveLength(60);
  expect(first?.cells.slice(0, -1).every((cell) => cell === 0.75 || cell === 1)).toBe(true);
  expect(second?.cells.slice(0, 30).every((cell) => cell === null)).toBe(true);
  expect(second).toMatchObject({ label: 'GPU 1', latest: '0 %' });
  expect(second?.cells.at(-1)).toBe(0);
});

it('one measurement and none are shown too', () => {
  expect(heatRows(chart([5], [0.4]))[0]?.cells[0]).toBe(0.4);
  expect(heatRows(chart([], []))[0]).toMatchObject({ latest: '–' });
});
