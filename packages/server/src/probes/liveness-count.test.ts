import { describe, expect, it } from 'vitest';
import { type LivenessCount, NO_ANSWER_YET, nextCount } from './liveness-count.ts';

const spec = { start_period: 60 } as never;
const after = (...results: readonly (readonly [alive: boolean, ranFor: number])[]) =>
  results.reduce<LivenessCount>(
    (count, [isAlive, ranFor]) => nextCount(count, isAlive, spec, ranFor),
    NO_ANSWER_YET,
  ).failures;

describe('failures of a liveness probe', () => {
  it.each([
    [
      'in a row are counted',
      [
        [true, 1],
        [false, 2],
        [false, 3],
      ],
      2,
    ],
    [
      'are forgotten after a success',
      [
        [true, 1],
        [false, 2],
        [true, 3],
        [false, 4],
      ],
      1,
    ],
    [
      'of an app that starts do not count',
      [
        [false, 10],
        [false, 59],
      ],
      0,
    ],
    [
      'of an app that never answers count after its start period',
      [
        [false, 59],
        [false, 60],
      ],
      1,
    ],
  ] as const)('%s', (_name, results, failures) => {
    expect(after(...results)).toBe(failures);
  });
});
