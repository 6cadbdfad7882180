import { expect, it } from 'vitest';
import { joinedMetrics, newestTime } from './joined-metrics.ts';

const at = (seconds: number) => new Date(seconds * 1000).toISOString();
const metric = (name: string, points: readonly (readonly [seconds: number, value: number])[]) => ({
  name,
  timestamps: points.map(([seconds]) => at(seconds)),
  values: points.map(([, value]) => value),
});

it('puts newer measurements before the known ones, and drops those that are too old', () => {
  const older = {
    metrics: [
      metric('cpu', [
        [30, 3],
        [20, 2],
        [10, 1],
      ]),
      metric('gone', [[20, 9]]),
    ],
  };
  const newer = {
    metrics: [
      metric('cpu', [
        [50, 5],
        [40, 4],
        [30, 3.5],
      ]),
      metric('new', [[50, 7]]),
    ],
  };
  expect(joinedMetrics(older, newer, 20_000).metrics).toEqual([
    metric('cpu', [
      [50, 5],
      [40, 4],
      [30, 3.5],
      [20, 2],
    ]),
    metric('new', [[50, 7]]),
    metric('gone', [[20, 9]]),
  ]);
});

it('finds the newest time of all measurements', () => {
  expect(newestTime({ metrics: [metric('a', [[20, 1]]), metric('b', [[30, 1]])] })).toBe(at(30));
  expect(newestTime({ metrics: [] })).toBeNull();
});
